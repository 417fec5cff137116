import type { ExchangeRecord } from "../core/exchange-record.ts";

/** One exchange as the ledger keeps it. */
export interface LedgerRow {
  readonly record: ExchangeRecord;
  /** Made from a `begin` whose process died before it settled: usage and cost are predictions. */
  readonly orphaned: boolean;
  /** The record as JSON where it was written already, so that nobody writes it twice. */
  readonly json?: string;
}
