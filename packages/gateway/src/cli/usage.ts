import { type UsageAnswer, type UsageRowAnswer, usageAnswer } from "@fairlead/contract/admin-api/usage-api";
import type { AdminClient } from "./admin-client.ts";
import type { CommandResult } from "./config-check.ts";
import { dimensionsOf, type ReportOptions, rangeText, reportQuery } from "./report-range.ts";
import { countText, dollarText, manyText, renderTable } from "./table.ts";

export type UsageFormat = "table" | "json" | "csv";

const maxPages = 1_000;

/** Reads a report of several pages whole. */
async function readUsage(client: AdminClient, query: Record<string, string | undefined>): Promise<UsageAnswer> {
  const rows: UsageRowAnswer[] = [];
  let cursor: string | undefined;
  for (let i = 0; ; i++) {
    const answer = await client.get("/admin/v1/usage", usageAnswer, { ...query, cursor });
    rows.push(...answer.data);
    if (answer.next_cursor === null || i >= maxPages) return { ...answer, data: rows };
    cursor = answer.next_cursor;
  }
}

/** Reports what was used and what it cost, grouped by up to two dimensions. */
export async function reportUsage(
  client: AdminClient,
  options: ReportOptions,
  format: UsageFormat,
  nowMs: number,
): Promise<CommandResult> {
  const report = await readUsage(client, reportQuery(options, nowMs));
  const dimensions = dimensionsOf(options);
  if (format === "json") return { exitCode: 0, output: JSON.stringify(report, null, 2) };
  if (format === "csv") return { exitCode: 0, output: csv(dimensions, report.data) };
  if (report.data.length === 0)
    return { exitCode: 0, output: `Nothing was used from ${rangeText(report.from, report.to)}.` };
  return { exitCode: 0, output: table(dimensions, report) };
}

const figures = ["REQUESTS", "ERRORS", "INPUT", "CACHED", "OUTPUT", "COST"] as const;

function cells(row: UsageRowAnswer): string[] {
  return [
    countText(row.requests),
    countText(row.errors),
    countText(row.tokens.input),
    countText(row.tokens.cached_read),
    countText(row.tokens.output),
    costText(row),
  ];
}

function costText({ cost_usd: cost, unpriced, estimated }: UsageRowAnswer): string {
  const marks = `${estimated > 0 ? "~" : ""}${unpriced > 0 ? "*" : ""}`;
  return cost === null ? (unpriced > 0 ? "unpriced*" : "-") : `${dollarText(cost)}${marks}`;
}

function table(dimensions: readonly string[], { data, from, to }: UsageAnswer): string {
  const columns = [
    ...dimensions.map((title) => ({ title: title.toUpperCase() })),
    ...figures.map((title) => ({ title, align: "right" as const })),
  ];
  const rows = data.map((row) => [...dimensions.map((name) => row.group[name] ?? "-"), ...cells(row)]);
  const total = sum(data);
  const hasTotals = dimensions.length > 0 && !dimensions.includes("tag");
  const totals = hasTotals ? ["total", ...dimensions.slice(1).map(() => ""), ...cells(total)] : undefined;
  const notes = [
    ...(total.unpriced > 0
      ? [`* ${manyText(total.unpriced, "request")} used tokens nobody knows the price of, which are not in the cost.`]
      : []),
    ...(total.estimated > 0 ? [`~ The tokens of ${manyText(total.estimated, "request")} are partly estimated.`] : []),
    ...(dimensions.includes("tag") ? ["A request with several tags stands in the row of each."] : []),
  ];
  return [renderTable(columns, rows, totals), "", rangeText(from, to), ...notes].join("\n");
}

function sum(rows: readonly UsageRowAnswer[]): UsageRowAnswer {
  const of = (read: (row: UsageRowAnswer) => number): number => rows.reduce((total, row) => total + read(row), 0);
  const priced = rows.filter(({ cost_usd: cost }) => cost !== null);
  return {
    group: {},
    requests: of((row) => row.requests),
    errors: of((row) => row.errors),
    attempts: of((row) => row.attempts),
    tokens: {
      input: of(({ tokens }) => tokens.input),
      cached_read: of(({ tokens }) => tokens.cached_read),
      cache_write: of(({ tokens }) => tokens.cache_write),
      long_cache_write: of(({ tokens }) => tokens.long_cache_write),
      audio_input: of(({ tokens }) => tokens.audio_input),
      output: of(({ tokens }) => tokens.output),
      reasoning: of(({ tokens }) => tokens.reasoning),
      audio_output: of(({ tokens }) => tokens.audio_output),
    },
    estimated: of((row) => row.estimated),
    cost_usd: priced.length === 0 ? null : of((row) => row.cost_usd ?? 0),
    unpriced: of((row) => row.unpriced),
    compared: of((row) => row.compared),
    reference_cost_usd: of((row) => row.reference_cost_usd),
    saved_usd: of((row) => row.saved_usd),
    average_ms: null,
    average_first_content_ms: null,
  };
}

const csvColumns: readonly (readonly [string, (row: UsageRowAnswer) => number | null])[] = [
  ["requests", (row) => row.requests],
  ["errors", (row) => row.errors],
  ["attempts", (row) => row.attempts],
  ["input_tokens", (row) => row.tokens.input],
  ["cached_read_tokens", (row) => row.tokens.cached_read],
  ["cache_write_tokens", (row) => row.tokens.cache_write],
  ["output_tokens", (row) => row.tokens.output],
  ["reasoning_tokens", (row) => row.tokens.reasoning],
  ["estimated_requests", (row) => row.estimated],
  ["unpriced_requests", (row) => row.unpriced],
  ["cost_usd", (row) => row.cost_usd],
  ["reference_cost_usd", (row) => row.reference_cost_usd],
  ["saved_usd", (row) => row.saved_usd],
  ["average_ms", (row) => row.average_ms],
  ["average_first_content_ms", (row) => row.average_first_content_ms],
];

function csv(dimensions: readonly string[], rows: readonly UsageRowAnswer[]): string {
  const lines = rows.map((row) => [
    ...dimensions.map((name) => csvText(row.group[name] ?? "")),
    ...csvColumns.map(([, read]) => String(read(row) ?? "")),
  ]);
  return [[...dimensions, ...csvColumns.map(([name]) => name)], ...lines].map((line) => line.join(",")).join("\n");
}

/** Quotes where needed; what a spreadsheet would compute is kept from it. */
function csvText(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
