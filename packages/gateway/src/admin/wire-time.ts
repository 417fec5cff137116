/** Milliseconds since 1970 as ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function optionalIsoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : isoTime(ms);
}

export function fromIsoTime(text: string | null): number | undefined {
  return text === null ? undefined : Date.parse(text);
}
