import type { ExchangeRecord } from "../core/exchange-record.ts";

/** What is known before the upstream is called; enough to account for an exchange that never settles. */
export interface LedgerBegin {
  readonly id: string;
  readonly at: number;
  readonly keyId: string | undefined;
  readonly asked: string;
  /** Predicted tokens, should the exchange never report its own. */
  readonly heldTokens: number;
}

/**
 * The append-only truth of usage. Both writes are synchronous and cheap: implementations queue, bound the queue and
 * never make a request wait for a database.
 */
export interface LedgerStore {
  begin(entry: LedgerBegin): void;
  settle(record: ExchangeRecord): void;
  /** Resolves when everything accepted so far is stored. */
  flush(): Promise<void>;
}
