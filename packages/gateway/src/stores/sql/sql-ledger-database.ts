import type { Budget } from "../../core/budget.ts";
import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import type {
  ExchangePageQuery,
  ExportQuery,
  RepriceReport,
  SavingsRow,
  SpentBucket,
  UsageQuery,
  UsageRow,
} from "../../ledger/ledger-query.ts";
import { LedgerRefusal } from "../../ledger/ledger-refusal.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { PriceBook } from "../../ledger/price-book.ts";
import { appendRows } from "./append-rows.ts";
import { exportExchanges, findExchange, listExchanges } from "./list-exchanges.ts";
import { Partitions } from "./partitions.ts";
import { pruneLedger } from "./prune-ledger.ts";
import { querySpent } from "./query-spent.ts";
import { queryUsage } from "./query-usage.ts";
import { repriceLedger } from "./reprice-ledger.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { SqlError } from "./sql-error.ts";
import { dayMs } from "./usage-sums.ts";

/** PostgreSQL's word for a row whose day has no partition. */
const noPartition = "23514";

/** The ledger in SQLite or PostgreSQL. Its tables must be there: call `migrate` first. */
export class SqlLedgerDatabase implements LedgerDatabase {
  readonly #database: SqlDatabase;
  readonly #partitions = new Partitions();

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async append(rows: readonly LedgerRow[]): Promise<void> {
    if (rows.length === 0) return;
    try {
      const { appendLedger, dialect } = this.#database;
      if (appendLedger !== undefined) {
        await appendLedger(rows);
        return;
      }
      await this.#ensureDays(rows.map(({ record }) => record.at));
      await this.#database.transaction((session) => appendRows(session, dialect, rows));
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      // Another process dropped the day: the next try makes it again.
      if (error.code === noPartition) this.#partitions.forget();
      else if (error.failure === "refused") throw new LedgerRefusal(error.message);
      throw error;
    }
  }

  usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    return queryUsage(this.#database, query);
  }

  async savings(query: UsageQuery): Promise<readonly SavingsRow[]> {
    const rows = await this.usage(query);
    return rows.map(({ group, requests, compared, referenceCost, saved }) => ({
      group,
      requests,
      compared,
      cost: referenceCost - saved,
      referenceCost,
      saved,
    }));
  }

  exchanges(query: ExchangePageQuery): Promise<{ rows: readonly LedgerRow[]; next: string | undefined }> {
    return listExchanges(this.#database, query);
  }

  exchange(id: string): Promise<LedgerRow | undefined> {
    return findExchange(this.#database, id);
  }

  exportRows(query: ExportQuery): AsyncIterable<LedgerRow> {
    return exportExchanges(this.#database, query);
  }

  spent(scope: Budget["scope"], fromMs: number, toMs: number, bucketMs?: number): Promise<readonly SpentBucket[]> {
    return querySpent(this.#database, scope, fromMs, toMs, bucketMs);
  }

  prune(beforeMs: number): Promise<number> {
    return pruneLedger(this.#database, this.#partitions, beforeMs);
  }

  reprice(
    fromMs: number,
    toMs: number,
    prices: PriceBook,
    options: { readonly dryRun: boolean },
  ): Promise<RepriceReport> {
    return repriceLedger(this.#database, fromMs, toMs, prices, options.dryRun);
  }

  async prepareUntil(untilMs: number): Promise<void> {
    const aheadMs = 4 * dayMs;
    const days = Array.from({ length: aheadMs / dayMs }, (_, day) => untilMs - day * dayMs);
    await this.#ensureDays(days.filter((at) => at > 0));
  }

  async #ensureDays(times: readonly number[]): Promise<void> {
    if (this.#database.dialect === "postgres") await this.#partitions.ensure(this.#database, times);
  }
}
