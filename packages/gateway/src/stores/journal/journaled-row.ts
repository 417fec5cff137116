import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";

/**
 * A settled row as its journal line has it. While it waits it is one text and not a tree of objects, and a database with a
 * thread of its own never needs more.
 */
export class JournaledRow implements LedgerRow {
  readonly orphaned = false;
  readonly json: string;
  #record: ExchangeRecord | undefined;

  constructor(json: string) {
    this.json = json;
  }

  get record(): ExchangeRecord {
    this.#record ??= JSON.parse(this.json) as ExchangeRecord;
    return this.#record;
  }
}
