import type { Budget } from "../core/budget.ts";
import type {
  ExchangePageQuery,
  ExportQuery,
  RepriceReport,
  SavingsRow,
  SpentBucket,
  UsageQuery,
  UsageRow,
} from "./ledger-query.ts";
import type { LedgerRow } from "./ledger-row.ts";
import type { PriceBook } from "./price-book.ts";

/** Where ledger rows rest and reports are read from. Never on the request path. */
export interface LedgerDatabase {
  /**
   * Stores all rows or none. Rows that are there already are left alone, but a settled row replaces an orphaned one.
   * @throws LedgerRefusal when one of the rows can never be stored; anything else thrown may pass
   */
  append(rows: readonly LedgerRow[]): Promise<void>;
  usage(query: UsageQuery): Promise<readonly UsageRow[]>;
  savings(query: UsageQuery): Promise<readonly SavingsRow[]>;
  /** Newest first. */
  exchanges(
    query: ExchangePageQuery,
  ): Promise<{ readonly rows: readonly LedgerRow[]; readonly next: string | undefined }>;
  exchange(id: string): Promise<LedgerRow | undefined>;
  /** Oldest first, a page at a time: memory does not grow with the number of rows. */
  exportRows(query: ExportQuery): AsyncIterable<LedgerRow>;
  /**
   * Money of all attempts in a budget's scope, ascending, empty buckets left out. Without `bucketMs` one bucket, always
   * there. @throws RangeError for more than 1,000 buckets
   */
  spent(scope: Budget["scope"], fromMs: number, toMs: number, bucketMs?: number): Promise<readonly SpentBucket[]>;
  /** Deletes rows and sums older than the UTC day that `beforeMs` is in; returns how many days had rows. */
  prune(beforeMs: number): Promise<number>;
  /** Prices attempts again with the prices of their time, a bounded batch at a time. */
  reprice(
    fromMs: number,
    toMs: number,
    prices: PriceBook,
    options: { readonly dryRun: boolean },
  ): Promise<RepriceReport>;
  /** Prepares for rows up to `untilMs`, where the database needs that. */
  prepareUntil(untilMs: number): Promise<void>;
}
