/** Text as every database takes it: PostgreSQL refuses NUL, and half a surrogate pair is no text at all. */
export function storedText(text: string, maxLength = 2_000): string {
  return text.slice(0, maxLength).replaceAll("\u0000", "").toWellFormed();
}

export function storedTextOrNull(text: string | undefined, maxLength?: number): string | null {
  return text === undefined ? null : storedText(text, maxLength);
}
