import {
  type ArmAnswer,
  type ExperimentAnswer,
  experimentsAnswer,
  type ShadowAnswer,
} from "@fairlead/contract/admin-api/experiment-api";
import type { AdminClient } from "./admin-client.ts";
import type { CommandResult } from "./config-check.ts";
import { rangeText } from "./report-range.ts";
import { countText, dollarText, renderTable } from "./table.ts";

type Mean = ShadowAnswer["since_start"]["similarity"];

const percent = (share: number | null): string => (share === null ? "-" : `${(share * 100).toFixed(1)} %`);
const ms = (value: number | null): string => (value === null ? "-" : `${countText(Math.round(value))} ms`);
const dollars = (value: number | null): string => (value === null ? "-" : dollarText(value));

/** A value with half of its interval's width. */
function within(text: string, interval: ArmAnswer["mean_ms_interval"], show: (half: number) => string): string {
  return interval === null ? text : `${text} ± ${show((interval.high - interval.low) / 2)}`;
}

const signs = { higher: "▲", lower: "▼", no_difference_shown: "=", unknown: "?" } as const;

function armCells(arm: ArmAnswer): string[] {
  const sign = (of: "errors" | "cost" | "latency"): string =>
    arm.against_first === null ? "" : ` ${signs[arm.against_first[of]]}`;
  const errors = arm.error_share_interval;
  const errorRange = errors === null ? "" : ` (${percent(errors.low)} to ${percent(errors.high)})`;
  return [
    arm.arm,
    percent(arm.share),
    countText(arm.requests),
    `${percent(arm.error_share)}${errorRange}${sign("errors")}`,
    dollars(arm.cost_usd),
    `${within(dollars(arm.mean_cost_usd), arm.mean_cost_interval, dollarText)}${sign("cost")}`,
    `${within(ms(arm.mean_ms), arm.mean_ms_interval, ms)}${sign("latency")}`,
    ms(arm.mean_first_content_ms),
    dollarText(arm.saved_usd),
  ];
}

const armColumns = [
  { title: "ARM" },
  ...["SHARE", "REQUESTS", "ERRORS", "COST", "COST EACH", "LATENCY", "FIRST CONTENT", "SAVED"].map((title) => ({
    title,
    align: "right" as const,
  })),
];

function experimentText({ name, models, sticky, arms }: ExperimentAnswer): string {
  const about = models.length === 0 ? "requests that name no model" : models.join(", ");
  return `${name}: ${about}, sticky by ${sticky}\n${renderTable(armColumns, arms.map(armCells))}`;
}

const share = ({ mean, of }: Mean): string => (of === 0 ? "-" : `${percent(mean)} of ${countText(of)}`);

function shadowText(shadow: ShadowAnswer): string {
  const { since_start: since } = shadow;
  const skipped = Object.entries(since.skipped)
    .filter(([, count]) => count > 0)
    .map(([why, count]) => `${why} ${countText(count)}`);
  const ratio = since.length_ratio.mean;
  const rows = [
    ["copies in the ledger", `${countText(shadow.copies)}, ${countText(shadow.errors)} failed`],
    ["cost", dollars(shadow.cost_usd)],
    ["drawn, compared", `${countText(since.drawn)}, ${countText(since.compared)}`],
    ["left out", skipped.length === 0 ? "none" : skipped.join(", ")],
    ["same finish", share(since.same_finish)],
    ["like the client's text", share(since.similarity)],
    ["same short answer", share(since.same_text)],
    ["same tool calls", share(since.same_calls)],
    ["both JSON", share(since.both_json)],
    ["length", ratio === null ? "-" : `${ratio.toFixed(2)} times the client's`],
    ["took longer by", ms(since.duration_difference_ms.mean)],
    ["first content later by", ms(since.first_content_difference_ms.mean)],
    ["cost more by", dollars(since.cost_difference_usd.mean)],
  ];
  const title = `shadow ${shadow.name}: ${percent(shadow.sample)} to ${shadow.target}`;
  return `${title}\n${renderTable([{ title: "SINCE THE START" }, { title: "" }], rows)}`;
}

/** Reports each experiment's arms and each shadow. */
export async function reportExperiments(
  client: AdminClient,
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  json: boolean,
): Promise<CommandResult> {
  const report = await client.get("/admin/v1/experiments", experimentsAnswer, { from, to });
  if (json) return { exitCode: 0, output: JSON.stringify(report, null, 2) };
  const { experiments, shadows } = report;
  if (experiments.length + shadows.length === 0) {
    return {
      exitCode: 0,
      output: "Nothing is tried out: the config has no `routing.experiments` or `routing.shadows`.",
    };
  }
  const notes = [
    rangeText(report.from, report.to),
    ...(experiments.length > 0
      ? ["▲ higher and ▼ lower than the first arm at 95 % confidence, = no difference shown, ? too little is known."]
      : []),
  ];
  return {
    exitCode: 0,
    output: [...experiments.map(experimentText), ...shadows.map(shadowText), notes.join("\n")].join("\n\n"),
  };
}
