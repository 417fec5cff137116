import type { ExchangeRecord, ServedBy } from "../core/exchange-record.ts";

/** What is known before the upstream is called; enough to account for an exchange that never settles. */
export interface LedgerBegin {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly dialect: ExchangeRecord["dialect"];
  readonly keyId: string | undefined;
  readonly team: string | undefined;
  readonly user: string | undefined;
  readonly tags: readonly string[];
  readonly asked: string;
  readonly stream: boolean;
  readonly reason: ExchangeRecord["reason"];
  /** The target that is asked now. */
  readonly target: ServedBy;
  /** Predicted, should the exchange never report its own. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** What those cost, in nano-dollars; undefined when unpriced. */
  readonly cost: number | undefined;
  readonly priceVersion: string | undefined;
}

/**
 * The append-only truth of usage. Both writes are synchronous and cheap: implementations queue, bound the queue and
 * never make a request wait for a database.
 */
export interface LedgerStore {
  /**
   * Called before each attempt; of one exchange the last counts.
   * @throws GatewayError `ledger_unavailable` where the config wants no work that cannot be accounted for
   */
  begin(entry: LedgerBegin): void;
  settle(record: ExchangeRecord): void;
  /** Resolves when everything accepted so far is stored, or the store gave up for now. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
