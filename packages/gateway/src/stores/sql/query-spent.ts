import type { Budget } from "../../core/budget.ts";
import type { SpentBucket, UsageFilters } from "../../ledger/ledger-query.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { SqlParams } from "./sql-params.ts";
import { type UsageSegment, usageSegments } from "./usage-segments.ts";
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

/** All buckets in one pass, over sums that lie within one bucket each. */
async function spentPerStep(
  database: SqlDatabase,
  filters: UsageFilters,
  finest: UsageSegment["source"],
  fromMs: number,
  toMs: number,
  bucketMs: number,
): Promise<SpentBucket[]> {
  const params = new SqlParams();
  const segments = usageSegments(fromMs, toMs, finest);
  if (segments.length === 0) return [];
  const selection = { dimensions: [], bucketMs, originMs: fromMs, sums: ["cost_nano"] as const, filters };
  const rows = await database.read(usageStatement(segments, selection, params), params.values);
  const costs = new Map<number, number>();
  for (const row of rows) {
    const bucket = Number(row["bucket"]);
    costs.set(bucket, (costs.get(bucket) ?? 0) + Number(row["cost_nano"]));
  }
  const buckets = [...costs].map(([start, cost]): SpentBucket => ({ fromMs: start, cost }));
  return buckets.filter(({ cost }) => cost > 0).sort((a, b) => a.fromMs - b.fromMs);
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
  if (bucketMs < hourMs) return spentPerStep(database, filters, "rows", fromMs, toMs, bucketMs);
  if (fromMs % hourMs === 0 && bucketMs % hourMs === 0) {
    return spentPerStep(database, filters, "hour", fromMs, toMs, bucketMs);
  }
  const found: SpentBucket[] = [];
  for (let start = fromMs; start < toMs; start += bucketMs) {
    const cost = await spentIn(database, filters, start, Math.min(start + bucketMs, toMs));
    if (cost > 0) found.push({ fromMs: start, cost });
  }
  return found;
}
