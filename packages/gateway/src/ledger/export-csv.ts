import { type ExportCell, exportRow } from "./export-row.ts";
import type { LedgerRow } from "./ledger-row.ts";

/** What a spreadsheet would run as a formula; a quote in front makes it text. Numbers of ours are never touched. */
const formula = /^[=+\-@\t\r]/;

function cell(value: ExportCell): string {
  if (value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = formula.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** CSV as RFC 4180 has it: a line of names, then one per exchange, each ended by CR LF. */
export async function* exportCsv(rows: AsyncIterable<LedgerRow>): AsyncGenerator<string> {
  let isFirst = true;
  for await (const row of rows) {
    const cells = exportRow(row);
    if (isFirst) yield `${Object.keys(cells).join(",")}\r\n`;
    isFirst = false;
    yield `${Object.values(cells).map(cell).join(",")}\r\n`;
  }
}
