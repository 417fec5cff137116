import type { Column } from "../table.ts";
import { countText, dollarText, manyText, renderTable, timeText } from "../table.ts";
import type { LatencyMeans } from "./observed-latency.ts";
import type { Change, Move, ReplaySummary, Side } from "./replay-tally.ts";

/** All that a replay found out. */
export interface ReplayReport {
  readonly policy: string;
  readonly live: "recorded" | "ready";
  readonly summary: ReplaySummary;
  /** Lines of no use by reason, the most frequent first. */
  readonly unusable: readonly (readonly [string, number])[];
  readonly headerConditions: number;
  /** Requests for which a condition asked for headers. */
  readonly missedHeaders: number;
  /** Requests that stand behind later ones. */
  readonly outOfOrder: number;
}

const shownMoves = 12;
const shownLeaks = 10;
const minus = "−";

const right = (title: string): Column => ({ title, align: "right" });

const shareText = (part: number, whole: number): string =>
  whole === 0 ? "-" : `${((part / whole) * 100).toFixed(1)} %`;
const signed = (value: number, text: string): string => (value === 0 ? "=" : `${value < 0 ? minus : "+"}${text}`);
const countChange = (change: number): string => signed(change, countText(Math.abs(change)));
const dollarChange = (change: number): string => signed(change, dollarText(Math.abs(change)));
const msText = (ms: number | undefined): string => (ms === undefined ? "unknown" : `${countText(Math.round(ms))} ms`);
const sumOf = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

type Row = readonly [string, string, string, string];

function relative(before: number, after: number): string {
  const change = after - before;
  if (change === 0 || before === 0) return "";
  return `  ${change < 0 ? minus : "+"}${Math.abs((change / before) * 100).toFixed(1)} %`;
}

function countRow(title: string, before: number, after: number): Row {
  return [title, countText(before), countText(after), countChange(after - before)];
}

function shareRow(title: string, requests: number, before: number, after: number): Row {
  const points = ((after - before) / Math.max(1, requests)) * 100;
  const cell = (count: number): string => `${countText(count)}  ${shareText(count, requests).padStart(7)}`;
  return [title, cell(before), cell(after), signed(after - before, `${Math.abs(points).toFixed(1)} points`)];
}

function latencyRow(title: string, before: number | undefined, after: number | undefined): Row {
  if (before === undefined && after === undefined) return [title, "unknown", "unknown", ""];
  const change =
    before === undefined || after === undefined
      ? ""
      : signed(Math.round(after) - Math.round(before), msText(Math.abs(Math.round(after) - Math.round(before)))) +
        (Math.round(after) === Math.round(before) ? "" : relative(before, after));
  return [title, msText(before), msText(after), change];
}

function comparison({ requests, before, after }: ReplaySummary): string {
  const codes = [...new Set([...Object.keys(before.errors), ...Object.keys(after.errors)])];
  const rows: Row[] = [
    shareRow("served on the premises", requests, before.local, after.local),
    shareRow("served by cloud", requests, before.cloud, after.cloud),
    shareRow("refused or failed", requests, sumOf(before.errors), sumOf(after.errors)),
    ...codes.map((code) => countRow(`  ${code}`, before.errors[code] ?? 0, after.errors[code] ?? 0)),
    [
      "cost",
      dollarText(before.costUsd),
      dollarText(after.costUsd),
      dollarChange(after.costUsd - before.costUsd) + relative(before.costUsd, after.costUsd),
    ],
    countRow("  requests without a price", before.unpriced, after.unpriced),
    latencyRow("first content, mean", before.latency.firstContentMs, after.latency.firstContentMs),
    latencyRow("whole answer, mean", before.latency.durationMs, after.latency.durationMs),
    countRow("requests that leave the premises", before.leaving.requests, after.leaving.requests),
    countRow("  with prompt tokens", before.leaving.promptTokens, after.leaving.promptTokens),
    countRow("  although their data must stay", before.boundLeaving, after.boundLeaving),
  ];
  return renderTable([{ title: "" }, right("BEFORE"), right("AFTER"), right("CHANGE")], rows);
}

function movesTable({ moves, moved, requests }: ReplaySummary): string {
  if (moves.length === 0) return "Every request goes where it went.";
  const shown = moves.slice(0, shownMoves);
  const rows = shown.map((move) => [
    countText(move.requests),
    move.from,
    move.to,
    move.unpriced === move.requests ? "unknown" : dollarChange(move.costChangeUsd),
    move.reason,
  ]);
  const left = moves.length - shown.length;
  return [
    `${manyText(moved, "request")} of ${countText(requests)} (${shareText(moved, requests)}) ${moved === 1 ? "goes" : "go"} elsewhere:`,
    "",
    renderTable([right("REQUESTS"), { title: "FROM" }, { title: "TO" }, right("COST"), { title: "BECAUSE" }], rows),
    ...(left > 0 ? [`and ${manyText(left, "smaller move")} (--json lists all)`] : []),
  ].join("\n");
}

function changesTable(changes: readonly Change[]): string {
  const rows = changes.map(({ id, asked, from, fromReason, to, toReason, rule }) => [
    id,
    asked,
    `${from} (${fromReason === "" ? "-" : fromReason})`,
    `${to} (${toReason}${rule === undefined ? "" : `, “${rule}”`})`,
  ]);
  return renderTable([{ title: "ID" }, { title: "ASKED" }, { title: "WENT TO" }, { title: "WOULD GO TO" }], rows);
}

function notes({ summary, unusable, live, headerConditions, missedHeaders, outOfOrder }: ReplayReport): string[] {
  const { compared, requests, recordedCostUsd, after } = summary;
  const told: string[] = [];
  const priced =
    compared === requests ? "all requests" : `the ${manyText(compared, "request")} with a price on both sides`;
  const billed =
    recordedCostUsd === undefined ? "" : ` When they were served they were recorded as ${dollarText(recordedCostUsd)}.`;
  told.push(`Costs are of ${priced}, by this policy's prices at the time of each request.${billed}`);
  if (after.latency.unknown > 0) {
    const many = manyText(after.latency.unknown, "request");
    told.push(`Latency leaves out ${many} for targets that answered nothing in this traffic.`);
  }
  told.push(
    live === "recorded"
      ? "Targets that could not be asked, failed, or were out of budget then are so again (--live ready for none of it)."
      : "Every target is taken to be ready.",
  );
  if (headerConditions > 0) {
    const conditions = `${manyText(headerConditions, "condition")} of this policy ${headerConditions === 1 ? "reads" : "read"} headers`;
    told.push(
      `${conditions}, which are not recorded: false for ${manyText(missedHeaders, "request")} that came to one.`,
    );
  }
  if (outOfOrder > 0)
    told.push(`${manyText(outOfOrder, "request")} stood behind later ones; give the traffic oldest first.`);
  if (unusable.length > 0) {
    const lines = unusable.reduce((sum, [, count]) => sum + count, 0);
    const why = unusable.map(([reason, count]) => `${countText(count)} ${reason}`).join(", ");
    told.push(`${manyText(lines, "line")} left out: ${why}.`);
  }
  return told;
}

/** For people: the two sides next to each other, then what moves, then what to know about the figures. */
export function replayText(report: ReplayReport): string {
  const { summary, policy } = report;
  const { requests, fromMs, toMs, leaks, changes } = summary;
  const time = (ms: number | undefined): string => timeText(ms === undefined ? null : new Date(ms).toISOString());
  const parts = [
    `${manyText(requests, "request")} from ${time(fromMs)} to ${time(toMs)}, decided again by ${policy}`,
    comparison(summary),
    movesTable(summary),
  ];
  if (changes.length > 0) parts.push(changesTable(changes));
  parts.push(notes(report).join("\n"));
  if (leaks.length > 0) {
    const rows = leaks.slice(0, shownLeaks).map(({ id, target }) => [id, target]);
    const more = leaks.length > shownLeaks ? ["and more (--json lists up to a hundred)"] : [];
    parts.push(
      ["DATA THAT MUST STAY WOULD LEAVE:", renderTable([{ title: "ID" }, { title: "TO" }], rows), ...more].join("\n"),
    );
  }
  return parts.join("\n\n");
}

const latencyJson = ({ firstContentMs, durationMs, unknown }: LatencyMeans) => ({
  first_content_ms: firstContentMs ?? null,
  duration_ms: durationMs ?? null,
  unknown,
});

const sideJson = (side: Side) => ({
  local: side.local,
  cloud: side.cloud,
  local_share: side.requests === 0 ? null : side.local / side.requests,
  errors: side.errors,
  cost_usd: side.costUsd,
  unpriced: side.unpriced,
  latency: latencyJson(side.latency),
  leaving: { requests: side.leaving.requests, prompt_tokens: side.leaving.promptTokens, bound: side.boundLeaving },
});

const moveJson = ({ from, to, reason, requests, costChangeUsd, unpriced }: Move) => ({
  from,
  to,
  reason,
  requests,
  cost_change_usd: requests === unpriced ? null : costChangeUsd,
  unpriced,
});

const timeJson = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());

/** For machines: the same figures, all moves, and what was seen of each target. */
export function replayJson({ summary, unusable, ...report }: ReplayReport) {
  return {
    policy: report.policy,
    live: report.live,
    from: timeJson(summary.fromMs),
    to: timeJson(summary.toMs),
    requests: summary.requests,
    moved: summary.moved,
    compared: summary.compared,
    recorded_cost_usd: summary.recordedCostUsd ?? null,
    before: sideJson(summary.before),
    after: sideJson(summary.after),
    moves: summary.moves.map(moveJson),
    changes: summary.changes.map(({ id, asked, from, fromReason, to, toReason, rule }) => ({
      id,
      asked,
      before: { target: from, reason: fromReason },
      after: { target: to, reason: toReason, rule: rule ?? null },
    })),
    leaks: summary.leaks,
    targets: Object.fromEntries(Object.entries(summary.targets).map(([id, means]) => [id, latencyJson(means)])),
    unusable: Object.fromEntries(unusable),
    header_conditions: report.headerConditions,
    missed_headers: report.missedHeaders,
    out_of_order: report.outOfOrder,
  };
}
