import type { UsageFilters } from "../../ledger/ledger-query.ts";
import type { SqlParams } from "./sql-params.ts";
import { tokenColumns } from "./token-columns.ts";
import type { UsageSegment } from "./usage-segments.ts";
import { dayMs, hourMs, type SumColumn } from "./usage-sums.ts";

/** What a part of a report asks for. */
export interface UsageSelection {
  /** Columns of `usage_series`, and `tag`. */
  readonly dimensions: readonly string[];
  /** Length of the time steps in milliseconds; undefined for no time at all. */
  readonly bucketMs: number | undefined;
  /** A moment a step begins at, before all rows; 1970 unless given. */
  readonly originMs?: number;
  readonly sums: readonly SumColumn[];
  readonly filters: UsageFilters;
}

const filterColumns = {
  model: "model",
  target: "target",
  placement: "placement",
  provider: "provider",
  upstream: "upstream",
  key: "key_id",
  team: "team",
  user: "user_name",
} as const;
const exchangeOnly = new Set(["key_id", "team", "user_name"]);

/** How the sums' columns read in a row of attempts, and of exchanges; 0 where it has none. */
const attemptAmounts: Partial<Record<SumColumn, string>> = {
  attempts: "1",
  cost_nano: "COALESCE(a.cost_nano, 0)",
  priced: "CASE WHEN a.cost_nano IS NULL THEN 0 ELSE 1 END",
  ...Object.fromEntries(tokenColumns.map((column) => [column, `a.${column}`])),
};
const compared = "e.reference_cost_nano IS NOT NULL AND e.cost_nano IS NOT NULL AND e.unpriced = 0";
const exchangeAmounts: Partial<Record<SumColumn, string>> = {
  requests: "1",
  errors: "CASE WHEN e.outcome IN ('error', 'interrupted') THEN 1 ELSE 0 END",
  estimated: "e.estimated",
  unpriced: "e.unpriced",
  reference_cost_nano: `CASE WHEN ${compared} THEN e.reference_cost_nano ELSE 0 END`,
  compared: `CASE WHEN ${compared} THEN 1 ELSE 0 END`,
  saved_nano: `CASE WHEN ${compared} THEN e.reference_cost_nano - e.cost_nano ELSE 0 END`,
  duration_us: "e.duration_us",
  first_content_us: "COALESCE(e.first_content_us, 0)",
  first_contents: "CASE WHEN e.first_content_us IS NULL THEN 0 ELSE 1 END",
};

interface Source {
  readonly from: string;
  readonly time: string;
  readonly conditions: readonly string[];
  column(dimension: string): string;
  amount(sum: SumColumn): string;
  /** Joins one row per tag. */
  readonly tagJoin: string;
  /** True for rows that have the tag. */
  hasTag(placeholder: string): string;
}

function sumsSource(segment: UsageSegment, params: SqlParams): Source {
  const span = segment.source === "day" ? dayMs : hourMs;
  return {
    from: "usage_sums u JOIN usage_series s ON s.id = u.series",
    time: "u.start_at",
    conditions: [
      `u.span = ${span}`,
      `u.start_at >= ${params.add(segment.fromMs)}`,
      `u.start_at < ${params.add(segment.toMs)}`,
    ],
    column: (dimension) => (dimension === "tag" ? "st.tag" : `s.${dimension}`),
    amount: (sum) => `u.${sum}`,
    tagJoin: "LEFT JOIN usage_series_tags st ON st.series = u.series",
    hasTag: (tag) => `EXISTS (SELECT 1 FROM usage_series_tags f WHERE f.tag = ${tag} AND f.series = u.series)`,
  };
}

function rowsSource(of: "attempts" | "exchanges", segment: UsageSegment, params: SqlParams): Source {
  const own = of === "attempts" ? "a" : "e";
  const amounts = of === "attempts" ? attemptAmounts : exchangeAmounts;
  const [from, to] = [params.add(segment.fromMs), params.add(segment.toMs)];
  const both = "attempts a JOIN exchanges e ON e.at = a.at AND e.id = a.exchange_id";
  return {
    from: of === "attempts" ? both : "exchanges e",
    time: "e.at",
    // Said of both tables: a planner passes a range on to the partitions of the one it is said of only.
    conditions: (of === "attempts" ? ["a", "e"] : ["e"]).flatMap((table) => [
      `${table}.at >= ${from}`,
      `${table}.at < ${to}`,
    ]),
    column(dimension) {
      if (dimension === "tag") return "et.tag";
      return exchangeOnly.has(dimension) ? `e.${dimension}` : `${own}.${dimension}`;
    },
    amount: (sum) => amounts[sum] ?? "0",
    tagJoin: "LEFT JOIN exchange_tags et ON et.at = e.at AND et.exchange_id = e.id",
    hasTag: (tag) =>
      `EXISTS (SELECT 1 FROM exchange_tags f WHERE f.at = e.at AND f.tag = ${tag} AND f.exchange_id = e.id)`,
  };
}

function select(source: Source, selection: UsageSelection, params: SqlParams): string {
  const { dimensions, bucketMs, originMs = 0, sums, filters } = selection;
  const conditions = [...source.conditions];
  for (const [name, column] of Object.entries(filterColumns)) {
    const value = filters[name as keyof typeof filterColumns];
    if (value !== undefined) conditions.push(`${source.column(column)} = ${params.add(value)}`);
  }
  if (filters.tag !== undefined) conditions.push(source.hasTag(params.add(filters.tag)));
  const groups = dimensions.map((dimension) => `${source.column(dimension)} AS ${dimension}`);
  if (bucketMs !== undefined) groups.push(`${source.time} - ((${source.time} - ${originMs}) % ${bucketMs}) AS bucket`);
  const amounts = sums.map((sum) => `SUM(${source.amount(sum)}) AS ${sum}`);
  const tagJoin = dimensions.includes("tag") ? source.tagJoin : "";
  // Numbers of columns, since a column's own name would win over the one it is given here.
  const grouping = groups.length > 0 ? `GROUP BY ${groups.map((_, i) => i + 1).join(", ")}` : "";
  return `SELECT ${[...groups, ...amounts].join(", ")} FROM ${source.from} ${tagJoin} WHERE ${conditions.join(" AND ")} ${grouping}`;
}

/** One statement for all segments of a range. Its rows still have to be added up: a group may come once per segment. */
export function usageStatement(
  segments: readonly UsageSegment[],
  selection: UsageSelection,
  params: SqlParams,
): string {
  const parts = segments.flatMap((segment) => {
    if (segment.source !== "rows") return [select(sumsSource(segment, params), selection, params)];
    return (["attempts", "exchanges"] as const)
      .filter((of) => selection.sums.some((sum) => (of === "attempts" ? attemptAmounts : exchangeAmounts)[sum]))
      .map((of) => select(rowsSource(of, segment, params), selection, params));
  });
  return parts.join(" UNION ALL ");
}
