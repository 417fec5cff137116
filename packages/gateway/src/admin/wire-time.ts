import { latestTime } from "@fairlead/contract/admin-api/wire-fields";

/** Milliseconds since 1970 as ISO 8601 in UTC; a time no answer can write is the nearest that one can. */
export function isoTime(ms: number): string {
  const known = Number.isNaN(ms) ? 0 : ms;
  return new Date(Math.min(latestTime, Math.max(0, known))).toISOString();
}

export function optionalIsoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : isoTime(ms);
}

export function fromIsoTime(text: string | null): number | undefined {
  return text === null ? undefined : Date.parse(text);
}
