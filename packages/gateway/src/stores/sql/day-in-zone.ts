const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  if (formats.size > 500) formats.clear();
  formats.set(timeZone, made);
  return made;
}

/** The calendar day, `2026-11-21`, of a moment in a time zone. @throws RangeError for a zone that does not exist */
export function dayInZone(ms: number, timeZone: string): string {
  if (timeZone === "UTC") return new Date(ms).toISOString().slice(0, 10);
  return formatOf(timeZone).format(ms);
}
