const unsafe = /[^\x20-\x7e]/u;
const everyUnsafe = new RegExp(unsafe, "gu");

/** Makes any text safe as a header value: printable ASCII, at most `limit` characters, no line breaks. */
export function headerValue(text: string, limit = 256): string {
  const short = text.length > limit ? text.slice(0, limit) : text;
  if (!unsafe.test(short)) return short;
  return short.replace(everyUnsafe, (character) => encodeURIComponent(character.isWellFormed() ? character : "?"));
}
