/** NUL, and any half of a surrogate pair: most text has none, and looking is cheaper than rewriting. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what is looked for
const suspicious = /[\u0000\ud800-\udfff]/;

/** Text as every database takes it: PostgreSQL refuses NUL, and half a surrogate pair is no text at all. */
export function storedText(text: string, maxLength = 2_000): string {
  if (text.length <= maxLength && !suspicious.test(text)) return text;
  return text.slice(0, maxLength).replaceAll("\u0000", "").toWellFormed();
}

export function storedTextOrNull(text: string | undefined, maxLength?: number): string | null {
  return text === undefined ? null : storedText(text, maxLength);
}
