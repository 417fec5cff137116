import type { LedgerRow } from "./ledger-row.ts";

/** One line of JSON per exchange, with everything the ledger knows of it: attempts, usage as sent, decision. */
export async function* exportJsonl(rows: AsyncIterable<LedgerRow>): AsyncGenerator<string> {
  for await (const { record, orphaned } of rows) yield `${JSON.stringify({ ...record, orphaned })}\n`;
}
