/** One line of CSV (RFC 4180). Text that a spreadsheet would run as a formula is quoted with an apostrophe. */
export function csvLine(values: readonly (string | number | boolean | null)[]): string {
  const cells = values.map((value) => {
    if (value === null) return "";
    if (typeof value !== "string") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${cells.join(",")}\r\n`;
}
