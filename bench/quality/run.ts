/**
 * Measures how well scores tell which prompts need the strong model, by RouteLLM's evaluation on public data:
 * `npm run bench:quality -- [--data folder] [--json] [--resamples 200]`.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ShareControl } from "../../packages/gateway/src/routing/share-control.ts";
import { loadSets, type PromptSet, partOf } from "./data-sets.ts";
import { type RouterQuality, routerQuality } from "./router-metrics.ts";
import { scorePrompts } from "./score-prompts.ts";

const { values } = parseArgs({
  options: { data: { type: "string" }, json: { type: "boolean" }, resamples: { type: "string", default: "200" } },
});
const root = join(import.meta.dir, "../..");
const folder = resolve(values.data ?? process.env["FAIRLEAD_ROUTING_DATA"] ?? join(root, "../shared/routing-data"));
const resamples = Number(values.resamples);
const say = (line: string): void => {
  if (values.json !== true) console.log(line);
};

interface Row {
  readonly set: string;
  readonly router: string;
  readonly quality: RouterQuality;
}

/** Every other subject of MMLU by name, so that neither half knows the other's. */
function halves(set: PromptSet): [PromptSet, PromptSet] {
  const subjects = [...new Set(set.tasks)].sort();
  const even = (index: number): boolean => subjects.indexOf(set.tasks[index] ?? "") % 2 === 0;
  return [
    partOf(set, `${set.name}, even subjects`, even),
    partOf(set, `${set.name}, odd subjects`, (index) => !even(index)),
  ];
}

/** Which sets the table of weights was fitted to, and which it was only checked against. */
function split(sets: readonly PromptSet[]): { fitted: PromptSet[]; reported: PromptSet[] } {
  const fitted: PromptSet[] = [];
  const reported: PromptSet[] = [];
  for (const set of sets) {
    if (set.name === "routellm_mmlu") {
      const [even, odd] = halves(set);
      fitted.push(even);
      reported.push(odd);
    } else if (set.name.startsWith("zeroeval_")) fitted.push(set);
    else reported.push(set);
  }
  return { fitted, reported };
}

function measure(set: PromptSet): Row[] {
  return Object.entries(scorePrompts(set.prompts)).map(([router, scores]) => ({
    set: set.name,
    router,
    // Equal scores are ten random routers: their order is drawn anew for each.
    quality: routerQuality(router === "random" ? new Float64Array(scores.length) : scores, set.pairs, resamples),
  }));
}

const percent = (share: number): string => (share * 100).toFixed(1).padStart(5);

function show(title: string, rows: readonly Row[]): void {
  say(`\n${title}`);
  say(`${"set".padEnd(30)}${"router".padEnd(18)}APGR   95 % interval   CPT50  CPT80`);
  for (const { set, router, quality } of rows) {
    const { apgr, low, high, cpt50, cpt80 } = quality;
    const interval = `${low.toFixed(3)}–${high.toFixed(3)}`;
    say(
      `${set.padEnd(30)}${router.padEnd(18)}${apgr.toFixed(3)}  ${interval.padEnd(14)}  ${percent(cpt50)}  ${percent(cpt80)}`,
    );
  }
}

/** Mean APGR over sets, by router. */
function means(rows: readonly Row[]): Record<string, number> {
  const byRouter = Map.groupBy(rows, ({ router }) => router);
  return Object.fromEntries(
    [...byRouter].map(([router, own]) => [router, own.reduce((sum, row) => sum + row.quality.apgr, 0) / own.length]),
  );
}

interface ShareRow {
  readonly set: string;
  readonly router: string;
  readonly share: number;
}

/** Replays a set in the file's order through a share control that aims at 30 % cloud; the share of the second half. */
function replay(set: PromptSet): ShareRow[] {
  const scored = { ...scorePrompts(set.prompts), constant: new Float64Array(set.prompts.length).fill(0.5) };
  return Object.entries(scored).map(([router, scores]) => {
    const control = new ShareControl({ kind: "cloud-share", share: 0.3 });
    const half = Math.floor(scores.length / 2);
    let cloud = 0;
    scores.forEach((score, index) => {
      if (control.choose(score, index * 1_000).chose === "cloud" && index >= half) cloud++;
    });
    return { set: set.name, router, share: cloud / (scores.length - half) };
  });
}

function run(): void {
  const sets = existsSync(folder) ? loadSets(folder) : [];
  if (sets.length === 0) {
    say(`No routing data in ${folder}; nothing measured. Name its folder with --data or FAIRLEAD_ROUTING_DATA.`);
    console.log(JSON.stringify({ bench: "quality", data: "absent" }));
    return;
  }
  say("APGR: 0.5 is random. CPT: the share of strong calls, in percent, that recovers 50 and 80 % of the gap.");
  for (const { name, prompts, pairNames } of sets) {
    say(`${name}, ${prompts.length} prompts: ${pairNames.map(([weak, strong]) => `${weak} → ${strong}`).join("; ")}`);
  }
  const { fitted, reported } = split(sets);
  const fittedRows = fitted.flatMap(measure);
  const reportedRows = reported.flatMap(measure);
  const wholeRows = sets.flatMap(measure);
  show("Fitted to", fittedRows);
  show("Not fitted to (routellm_gsm8k asks what zeroeval_gsm asks, of other models)", reportedRows);
  show("Whole sets", wholeRows);
  say("\nMean APGR over the sets");
  const summary = { fitted: means(fittedRows), reported: means(reportedRows), whole: means(wholeRows) };
  for (const [group, byRouter] of Object.entries(summary)) {
    const cells = Object.entries(byRouter).map(([router, apgr]) => `${router} ${apgr.toFixed(3)}`);
    say(`${group.padEnd(10)}${cells.join("  ")}`);
  }
  const shares = sets.flatMap(replay);
  say("\nCloud share of the second half under a share control that aims at 30 %");
  for (const { set, router, share } of shares) say(`${set.padEnd(30)}${router.padEnd(18)}${percent(share)}`);
  const worstShareError = Math.max(...shares.map(({ share }) => Math.abs(share - 0.3)));
  console.log(
    JSON.stringify({
      bench: "quality",
      means: summary,
      fitted: fittedRows,
      reported: reportedRows,
      whole: wholeRows,
      shares,
      worstShareError,
    }),
  );
}

run();
