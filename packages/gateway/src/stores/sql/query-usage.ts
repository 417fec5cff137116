import type { UsageDimension, UsageQuery, UsageRow } from "../../ledger/ledger-query.ts";
import { dayInZone } from "./day-in-zone.ts";
import type { SqlDatabase, SqlRow, SqlValue } from "./sql-database.ts";
import { SqlParams } from "./sql-params.ts";
import { decodeTokens } from "./token-columns.ts";
import { type UsageSegment, usageSegments } from "./usage-segments.ts";
import { usageStatement } from "./usage-source.ts";
import { dayMs, hourMs, sumColumns } from "./usage-sums.ts";

const columns: Readonly<Record<Exclude<UsageDimension, "day" | "hour">, string>> = {
  model: "model",
  target: "target",
  placement: "placement",
  provider: "provider",
  upstream: "upstream",
  key: "key_id",
  team: "team",
  user: "user_name",
  tag: "tag",
};
/** All zones of today are whole quarters of an hour away from UTC. */
const quarterMs = 900_000;

/** The longest sums that still tell a zone's days apart. */
function stepOf(query: UsageQuery): { finest: UsageSegment["source"]; bucketMs: number | undefined } {
  if (query.groupBy.includes("hour")) return { finest: "hour", bucketMs: hourMs };
  if (!query.groupBy.includes("day")) return { finest: "day", bucketMs: undefined };
  const timeZone = query.timeZone ?? "UTC";
  if (timeZone === "UTC") return { finest: "day", bucketMs: dayMs };
  if (changesDayOffTheHour(query, timeZone)) return { finest: "rows", bucketMs: quarterMs };
  return { finest: "hour", bucketMs: hourMs };
}

function changesDayOffTheHour({ fromMs, toMs }: UsageQuery, timeZone: string): boolean {
  const first = fromMs - (fromMs % hourMs);
  // An hour whose ends are on two days must have the change at its end.
  for (let hour = first; hour < toMs; hour += hourMs) {
    if (dayInZone(hour, timeZone) !== dayInZone(hour + hourMs - 1, timeZone)) return true;
  }
  return false;
}

function groupOf(row: SqlRow, query: UsageQuery, days: Map<number, string>): UsageRow["group"] {
  const group: Partial<Record<UsageDimension, string | null>> = {};
  for (const dimension of query.groupBy) {
    const bucket = Number(row["bucket"]);
    if (dimension === "day") {
      const day = days.get(bucket) ?? dayInZone(bucket, query.timeZone ?? "UTC");
      days.set(bucket, day);
      group.day = day;
    } else if (dimension === "hour") group.hour = new Date(bucket).toISOString();
    else group[dimension] = (row[columns[dimension]] ?? null) as string | null;
  }
  return group;
}

function rowOf(group: UsageRow["group"], sums: Record<string, number>): UsageRow {
  const sum = (name: (typeof sumColumns)[number]): number => sums[name] ?? 0;
  const average = (total: number, count: number): number | undefined => (count > 0 ? total / count / 1_000 : undefined);
  return {
    group,
    requests: sum("requests"),
    errors: sum("errors"),
    attempts: sum("attempts"),
    usage: decodeTokens(sums),
    estimated: sum("estimated"),
    cost: sum("attempts") > 0 && sum("priced") === 0 ? undefined : sum("cost_nano"),
    unpriced: sum("unpriced"),
    referenceCost: sum("reference_cost_nano"),
    compared: sum("compared"),
    saved: sum("saved_nano"),
    averageMs: average(sum("duration_us"), sum("requests")),
    averageFirstContentMs: average(sum("first_content_us"), sum("first_contents")),
  };
}

function fold(rows: readonly SqlRow[], query: UsageQuery): UsageRow[] {
  const groups = new Map<string, { group: UsageRow["group"]; sums: Record<string, number> }>();
  // Naming a day takes microseconds and there are as many rows as groups: once per step is enough.
  const days = new Map<number, string>();
  for (const row of rows) {
    const group = groupOf(row, query, days);
    const key = JSON.stringify(group);
    const known = groups.get(key) ?? { group, sums: {} };
    groups.set(key, known);
    for (const name of sumColumns) known.sums[name] = (known.sums[name] ?? 0) + Number((row[name] as SqlValue) ?? 0);
  }
  return [...groups.values()].map(({ group, sums }) => rowOf(group, sums));
}

/** Sums of a time range by up to two dimensions, in the order of the groups' values. */
export async function queryUsage(database: SqlDatabase, query: UsageQuery): Promise<UsageRow[]> {
  const { finest, bucketMs } = stepOf(query);
  const segments = usageSegments(query.fromMs, query.toMs, finest);
  if (segments.length === 0) return [];
  const dimensions = query.groupBy.flatMap((name) => (name === "day" || name === "hour" ? [] : [columns[name]]));
  const params = new SqlParams();
  const selection = { dimensions, bucketMs, sums: sumColumns, filters: query.filters ?? {} };
  const sql = usageStatement(segments, selection, params);
  const rows = fold(await database.read(sql, params.values), query).filter((row) => row.requests + row.attempts > 0);
  const order = (row: UsageRow): string => query.groupBy.map((name) => row.group[name] ?? "").join("\u0000");
  return rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
