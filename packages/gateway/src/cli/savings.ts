import { type SavingsAnswer, savingsAnswer } from "@fairlead/contract/admin-api/usage-api";
import type { AdminClient } from "./admin-client.ts";
import type { CommandResult } from "./config-check.ts";
import { dimensionsOf, type ReportOptions, rangeText, reportQuery } from "./report-range.ts";
import { countText, dollarText, manyText, renderTable } from "./table.ts";

const maxPages = 1_000;

type Row = SavingsAnswer["data"][number];

/** Reports what was saved against sending everything to the reference cloud model. */
export async function reportSavings(
  client: AdminClient,
  options: ReportOptions,
  json: boolean,
  nowMs: number,
): Promise<CommandResult> {
  const query = reportQuery(options, nowMs);
  const data: Row[] = [];
  let report: SavingsAnswer;
  let cursor: string | undefined;
  for (let i = 0; ; i++) {
    report = await client.get("/admin/v1/savings", savingsAnswer, { ...query, cursor });
    data.push(...report.data);
    if (report.next_cursor === null || i >= maxPages) break;
    cursor = report.next_cursor;
  }
  if (json) return { exitCode: 0, output: JSON.stringify({ ...report, data }, null, 2) };
  if (report.reference === null) {
    const output = "Nothing can be compared: the reference model (`pricing.reference`) has no price.";
    return { exitCode: 0, output };
  }
  if (data.length === 0) return { exitCode: 0, output: `Nothing was used from ${rangeText(report.from, report.to)}.` };
  return { exitCode: 0, output: table(dimensionsOf(options), { ...report, data }) };
}

function cells({ requests, compared, cost_usd: cost, reference_cost_usd: reference, saved_usd: saved }: Row): string[] {
  const share = reference > 0 ? `${Math.round((saved / reference) * 100)} %` : "-";
  return [countText(requests), countText(compared), dollarText(cost), dollarText(reference), dollarText(saved), share];
}

function table(dimensions: readonly string[], { data, reference, from, to }: SavingsAnswer): string {
  const columns = [
    ...dimensions.map((title) => ({ title: title.toUpperCase() })),
    ...["REQUESTS", "COMPARED", "COST", "ALL CLOUD", "SAVED", ""].map((title) => ({ title, align: "right" as const })),
  ];
  const rows = data.map((row) => [...dimensions.map((name) => row.group[name] ?? "-"), ...cells(row)]);
  const of = (read: (row: Row) => number): number => data.reduce((total, row) => total + read(row), 0);
  const total: Row = {
    group: {},
    requests: of((row) => row.requests),
    compared: of((row) => row.compared),
    cost_usd: of((row) => row.cost_usd),
    reference_cost_usd: of((row) => row.reference_cost_usd),
    saved_usd: of((row) => row.saved_usd),
  };
  const hasTotals = dimensions.length > 0 && !dimensions.includes("tag");
  const totals = hasTotals ? ["total", ...dimensions.slice(1).map(() => ""), ...cells(total)] : undefined;
  const left = total.requests - total.compared;
  return [
    renderTable(columns, rows, totals),
    "",
    `${rangeText(from, to)}, against ${reference} for every request.`,
    ...(left > 0 && hasTotals ? [`Left out, for want of a price to compare: ${manyText(left, "request")}.`] : []),
  ].join("\n");
}
