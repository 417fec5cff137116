import type { TrendFigures, Verdict } from "./measurements.ts";

/** Everything a finished run is reported by; also the one line of JSON at the end of the output. */
export interface LoadResult {
  readonly tool: "runner" | "k6";
  readonly url: string;
  readonly scale: number;
  readonly requests: number;
  readonly failedRate: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly localShare: number;
  readonly trends: Readonly<Record<string, TrendFigures>>;
  readonly verdicts: readonly Verdict[];
  /** Every threshold held, and there was something to judge. */
  readonly passed: boolean;
}

const nameWidth = 28;
const label = (name: string): string => `  ${name.padEnd(nameWidth, ".")}: `;
const time = (ms: number): string => (ms < 1_000 ? `${ms.toFixed(1)}ms` : `${(ms / 1_000).toFixed(2)}s`);
const percent = (part: number): string => `${(part * 100).toFixed(2)}%`;

/** The share of served requests that stayed local, as a line for a person. */
export function shareLine(localShare: number): string {
  return `${label("served locally")}${percent(localShare)} of the served requests (about 80% is meant)`;
}

function verdictLine({ metric, threshold, observed, passed }: Verdict, samples: number | undefined): string {
  // As in k6, a threshold on what never happened holds.
  const shown = samples === 0 ? "no samples" : metric === "http_req_failed" ? percent(observed) : time(observed);
  return `  ${passed ? "✓" : "✗"} ${metric} '${threshold}' (${shown})`;
}

/** A table in the manner of k6's summary at the end of a run. */
export function summary(result: LoadResult, seconds: number, statuses: Readonly<Record<string, number>>): string {
  const perSecond = (count: number): string => `${count}  ${(count / seconds).toFixed(2)}/s`;
  const trends = Object.entries(result.trends).map(
    ([name, { count, avg, min, med, max, p90, p95 }]) =>
      label(name) +
      (count === 0
        ? "no samples"
        : `avg=${time(avg)} min=${time(min)} med=${time(med)} max=${time(max)} p(90)=${time(p90)} p(95)=${time(p95)}`),
  );
  const answers = Object.entries(statuses).map(([status, count]) => `${status === "0" ? "none" : status}: ${count}`);
  return [
    "",
    "  THRESHOLDS",
    ...result.verdicts.map((verdict) => verdictLine(verdict, result.trends[verdict.metric]?.count)),
    "",
    "  TOTALS",
    `${label("http_reqs")}${perSecond(result.requests)}  (${answers.join(", ")})`,
    `${label("http_req_failed")}${percent(result.failedRate)}`,
    ...Object.entries(result.counters).map(([name, count]) => label(name) + perSecond(count)),
    shareLine(result.localShare),
    ...trends,
    "",
  ].join("\n");
}
