import type { LedgerRow } from "../../ledger/ledger-row.ts";

export type SqlValue = string | number | bigint | null | Uint8Array;
/** Integers come back as `number` where that is exact and as `bigint` where it is not, in both dialects. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

export type SqlDialect = "sqlite" | "postgres";

export interface SqlSession {
  /**
   * Placeholders are `$1`, `$2`, … in both dialects. Booleans are 0 and 1, JSON is text, times are epoch milliseconds.
   * @throws SqlError
   */
  query(sql: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /**
   * Inserts rows one by one, where that is cheaper than statements of many rows. Returns for each, in order, whether it
   * was inserted and not there already.
   */
  readonly insertEach?: (sql: string, rows: Iterable<readonly SqlValue[]>) => boolean[];
}

export interface TransactionOptions {
  /** Longest time for one statement, where the database is remote; a few seconds unless given. */
  readonly statementMs?: number;
}

/** One SQL database behind SQLite or PostgreSQL, with portable text but for what `dialect` decides. */
export interface SqlDatabase extends SqlSession {
  readonly dialect: SqlDialect;
  /** Like `query`, for long aggregates: never blocks writers. */
  read(sql: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** All or nothing; rolled back when `work` rejects. Use only the session inside: another call would wait for the end. */
  transaction<T>(work: (session: SqlSession) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Stores ledger rows in a transaction, where the database has a thread of its own that encodes them too.
   * @throws SqlError
   */
  readonly appendLedger?: ((rows: readonly LedgerRow[]) => Promise<void>) | undefined;
  close(): Promise<void>;
}
