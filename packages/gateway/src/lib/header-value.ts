const unsafe = /[^\x20-\x7e]/g;

/** Makes any text safe as a header value: printable ASCII, at most `limit` characters, no line breaks. */
export function headerValue(text: string, limit = 256): string {
  return text
    .slice(0, limit)
    .replace(unsafe, (character) => encodeURIComponent(character.isWellFormed() ? character : "?"));
}
