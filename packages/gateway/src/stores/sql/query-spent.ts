import type { Budget } from "../../core/budget.ts";
import type { SpentBucket, UsageFilters } from "../../ledger/ledger-query.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { SqlParams } from "./sql-params.ts";
import { usageSegments } from "./usage-segments.ts";
import { usageStatement } from "./usage-source.ts";
import { hourMs } from "./usage-sums.ts";

const maxBuckets = 1_000;

function filtersOf({ kind, value }: Budget["scope"]): UsageFilters {
  return kind === "total" ? {} : { [kind]: value };
}

async function spentIn(database: SqlDatabase, filters: UsageFilters, fromMs: number, toMs: number): Promise<number> {
  const segments = usageSegments(fromMs, toMs, "day");
  if (segments.length === 0) return 0;
  const params = new SqlParams();
  const sums = ["cost_nano"] as const;
  const sql = usageStatement(segments, { dimensions: [], bucketMs: undefined, sums, filters }, params);
  const rows = await database.read(sql, params.values);
  return rows.reduce((sum, row) => sum + Number(row["cost_nano"] ?? 0), 0);
}

/** Short buckets come from one pass over the rows. */
async function spentPerStep(
  database: SqlDatabase,
  filters: UsageFilters,
  fromMs: number,
  toMs: number,
  bucketMs: number,
): Promise<SpentBucket[]> {
  const costs = new Map<number, number>();
  const params = new SqlParams();
  const segments = usageSegments(fromMs, toMs, "rows");
  if (segments.length === 0) return [];
  const sums = ["cost_nano"] as const;
  const sql = usageStatement(segments, { dimensions: [], bucketMs: 1_000, sums, filters }, params);
  for (const row of await database.read(sql, params.values)) {
    const bucket = Math.floor((Number(row["bucket"]) - fromMs) / bucketMs);
    costs.set(bucket, (costs.get(bucket) ?? 0) + Number(row["cost_nano"] ?? 0));
  }
  const ascending = [...costs].sort(([a], [b]) => a - b);
  return ascending
    .map(([bucket, cost]) => ({ fromMs: fromMs + bucket * bucketMs, cost }))
    .filter(({ cost }) => cost > 0);
}

/** @see LedgerDatabase.spent */
export async function querySpent(
  database: SqlDatabase,
  scope: Budget["scope"],
  fromMs: number,
  toMs: number,
  bucketMs?: number,
): Promise<SpentBucket[]> {
  const filters = filtersOf(scope);
  if (bucketMs === undefined) return [{ fromMs, cost: await spentIn(database, filters, fromMs, toMs) }];
  if (!(bucketMs > 0) || (toMs - fromMs) / bucketMs > maxBuckets) throw new RangeError("Too many buckets.");
  if (bucketMs < hourMs) return spentPerStep(database, filters, fromMs, toMs, bucketMs);
  const found: SpentBucket[] = [];
  for (let start = fromMs; start < toMs; start += bucketMs) {
    const cost = await spentIn(database, filters, start, Math.min(start + bucketMs, toMs));
    if (cost > 0) found.push({ fromMs: start, cost });
  }
  return found;
}
