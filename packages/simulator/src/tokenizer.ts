/** Code points that make one token, in every prompt and every answer. */
export const CODE_POINTS_PER_TOKEN = 4;
/** Tokens that open the answer, counted once per request. */
export const PRIMING_TOKENS = 3;
/** Tokens that frame each message, system text and tool result. */
export const MESSAGE_TOKENS = 4;
/** Tokens of one image, whatever its size. */
export const IMAGE_TOKENS = 85;
/** Tokens that frame each offered tool. */
export const TOOL_TOKENS = 8;

/** Counts tokens: ceil(code points / 4). */
export function countTokens(text: string): number {
  let points = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xdc00 || unit > 0xdfff) points++;
  }
  return Math.ceil(points / CODE_POINTS_PER_TOKEN);
}

/** Splits text into its tokens without breaking a surrogate pair. */
export function* splitTokens(text: string): Generator<string> {
  let piece = "";
  let points = 0;
  for (const point of text) {
    piece += point;
    if (++points === CODE_POINTS_PER_TOKEN) {
      yield piece;
      piece = "";
      points = 0;
    }
  }
  if (piece !== "") yield piece;
}

/** Cuts text after at most `limit` tokens. */
export function takeTokens(text: string, limit: number): string {
  if (limit <= 0) return "";
  if (text.length <= limit * CODE_POINTS_PER_TOKEN) return text;
  let taken = "";
  let left = limit;
  for (const token of splitTokens(text)) {
    if (left-- === 0) break;
    taken += token;
  }
  return taken;
}
