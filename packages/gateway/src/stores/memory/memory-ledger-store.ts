import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { LedgerBegin, LedgerStore } from "../../ledger/ledger-store.ts";

/** Keeps the last `capacity` settled exchanges and all open ones in memory; nothing survives the process. */
export class MemoryLedgerStore implements LedgerStore {
  readonly #open = new Map<string, LedgerBegin>();
  readonly #settled: ExchangeRecord[] = [];
  readonly #capacity: number;
  #next = 0;

  constructor(capacity = 1_000) {
    this.#capacity = capacity;
  }

  begin(entry: LedgerBegin): void {
    this.#open.set(entry.id, entry);
  }

  settle(record: ExchangeRecord): void {
    this.#open.delete(record.id);
    this.#settled[this.#next] = record;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  /** Exchanges that began and have not settled. */
  get open(): readonly LedgerBegin[] {
    return [...this.#open.values()];
  }

  /** Settled exchanges, the oldest first. */
  get settled(): readonly ExchangeRecord[] {
    if (this.#settled.length < this.#capacity) return [...this.#settled];
    return [...this.#settled.slice(this.#next), ...this.#settled.slice(0, this.#next)];
  }
}
