/** What to do with one member of a JSON object: put this JSON text as its value, take it out, or edit inside it. */
export type JsonEdit =
  | { readonly type: "set"; readonly json: string }
  | { readonly type: "remove" }
  | { readonly type: "inside"; readonly edits: JsonEdits };

export type JsonEdits = ReadonlyMap<string, JsonEdit>;

export const removeMember: JsonEdit = { type: "remove" };

/** Makes an edit that puts `value` in place of whatever the member held. */
export function setMember(value: unknown): JsonEdit {
  return { type: "set", json: JSON.stringify(value) };
}

/**
 * Applies edits to the text of a JSON object and leaves every other byte as it was: numbers, escapes, spacing, order.
 * A member that occurs twice is edited at each place, so that every parser sees the same value. `set` and `inside` add
 * the member at the end when it is missing; `inside` replaces a value that is no object. The text must already have
 * passed `JSON.parse`. Linear in its length.
 * @throws SyntaxError when the text is visibly no JSON object.
 */
export function editJson(text: string, edits: JsonEdits): string {
  const open = skipSpace(text, 0);
  if (text.charCodeAt(open) !== OPEN_BRACE) throw new SyntaxError("Not a JSON object.");
  const members: string[] = [];
  const seen = new Set<string>();
  let at = open + 1;
  let first = true;
  for (;;) {
    const start = at;
    const keyStart = skipSpace(text, at);
    if (first && text.charCodeAt(keyStart) === CLOSE_BRACE) {
      at = keyStart;
      break;
    }
    first = false;
    const keyEnd = skipString(text, keyStart);
    const valueStart = skipSpace(text, expectColon(text, skipSpace(text, keyEnd)));
    const valueEnd = skipValue(text, valueStart);
    at = skipSpace(text, valueEnd);
    const key = keyAt(text, keyStart, keyEnd);
    const edit = edits.get(key);
    if (edit === undefined) members.push(text.slice(start, at));
    else {
      seen.add(key);
      const value = editedValue(text.slice(valueStart, valueEnd), edit);
      if (value !== undefined) members.push(text.slice(start, valueStart) + value + text.slice(valueEnd, at));
    }
    const code = text.charCodeAt(at);
    if (code === CLOSE_BRACE) break;
    if (code !== COMMA) throw new SyntaxError("Malformed JSON object.");
    at++;
  }
  for (const [key, edit] of edits) {
    const value = seen.has(key) ? undefined : editedValue("null", edit);
    if (value !== undefined) members.push(`${JSON.stringify(key)}:${value}`);
  }
  return text.slice(0, open + 1) + members.join(",") + text.slice(at);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function editedValue(old: string, edit: JsonEdit): string | undefined {
  switch (edit.type) {
    case "remove":
      return undefined;
    case "set":
      return edit.json;
    case "inside":
      return editJson(old.charCodeAt(0) === OPEN_BRACE ? old : "{}", edit.edits);
  }
}

function keyAt(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes("\\") ? (JSON.parse(text.slice(start, end)) as string) : raw;
}

function skipSpace(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

function expectColon(text: string, at: number): number {
  if (text.charCodeAt(at) !== COLON) throw new SyntaxError("Malformed JSON object.");
  return at + 1;
}

/** Returns the place after the string that opens at `at`. */
function skipString(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) throw new SyntaxError("Malformed JSON object.");
  let close = text.indexOf('"', at + 1);
  while (close !== -1 && isEscaped(text, close, at)) close = text.indexOf('"', close + 1);
  if (close === -1) throw new SyntaxError("Malformed JSON object.");
  return close + 1;
}

function isEscaped(text: string, at: number, floor: number): boolean {
  let backslashes = 0;
  for (let i = at - 1; i > floor && text.charCodeAt(i) === BACKSLASH; i--) backslashes++;
  return backslashes % 2 === 1;
}

/** Returns the place after the value that starts at `at`, whatever it nests. */
function skipValue(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === QUOTE) return skipString(text, at);
  if (code === OPEN_BRACE || code === OPEN_BRACKET) return skipNested(text, at);
  let end = at;
  for (; end < text.length; end++) {
    const c = text.charCodeAt(end);
    if (c === COMMA || c === CLOSE_BRACE || c === CLOSE_BRACKET || c <= 0x20) break;
  }
  if (end === at) throw new SyntaxError("Malformed JSON object.");
  return end;
}

function skipNested(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    at++;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return at;
  }
  throw new SyntaxError("Malformed JSON object.");
}
