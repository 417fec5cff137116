/**
 * Routes 100,000 mixed requests with each strategy and prints where they go and what that saves:
 * `npm run bench:replay [-- --requests 100000 --seed 1 --json]`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chatBody, promptOf } from "../../acceptance/load/prompts.ts";
import type { FairleadConfig } from "../../packages/contract/src/config-schema.ts";
import { renderTable } from "../../packages/gateway/src/cli/table.ts";
import { kinds, MixedRequests } from "./mixed-requests.ts";
import { type Asked, askedOf, StrategyRun, settingOf } from "./route-mix.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const count = Number(values.requests);
const seed = Number(values.seed);
if (!(Number.isInteger(count) && count > 0 && Number.isInteger(seed))) {
  console.error("--requests and --seed must be whole numbers");
  process.exit(2);
}
const example = join(import.meta.dir, "example.yaml");
const strategies = ["auto", "hybrid", "cost", "local_first", "balanced", "cloud_only"];
/** Users of the load test at its height. */
const users = 30;

const percent = (share: number | undefined): string => (share === undefined ? "-" : `${(share * 100).toFixed(1)} %`);
const right = (title: string) => ({ title, align: "right" as const });

function rowOf(run: StrategyRun): string[] {
  const { tiers, costUsd, saving } = run.tally.shares;
  return [
    run.strategy,
    percent(tiers["self-hosted"]),
    percent(tiers["cheap cloud"]),
    percent(tiers["premium cloud"]),
    percent(tiers.refused),
    `$${costUsd.toFixed(2)}`,
    percent(saving),
    `${(run.decisionMs * 1_000).toFixed(1)} µs`,
  ];
}

const columns = [
  { title: "strategy" },
  ...["self-hosted", "cheap cloud", "premium", "refused", "cost", "saved", "a decision"].map(right),
];

/** The load test's own setting: its local model is trusted with 512 tokens of output. */
function withLoadAdequacy(config: FairleadConfig): FairleadConfig {
  const { gpu, ...others } = config.upstreams;
  if (gpu?.models === undefined) throw new Error("the example config has no `gpu` with models");
  const models = gpu.models.map((model) => ({ ...model, adequate: { ...model.adequate, maxTokens: 512 } }));
  return { ...config, upstreams: { gpu: { ...gpu, models }, ...others } };
}

async function mixed() {
  const setting = await settingOf(example);
  const runs = strategies.map((strategy) => new StrategyRun(strategy, setting, seed));
  const requests = new MixedRequests(seed);
  let featuresMs = 0;
  for (let i = 0; i < count; i++) {
    const { body, outputTokens } = requests.next();
    const before = performance.now();
    const asked = askedOf(body, outputTokens);
    featuresMs += performance.now() - before;
    for (const run of runs) run.route(asked);
  }
  return { runs, featuresMs: featuresMs / count };
}

async function loadTest(): Promise<StrategyRun> {
  const run = new StrategyRun("auto", await settingOf(example, withLoadAdequacy), seed);
  const known = new Map<string, Asked>();
  for (let i = 0; i < count; i++) {
    const prompt = promptOf(i % users, Math.floor(i / users));
    const text = chatBody(prompt);
    let asked = known.get(text);
    if (asked === undefined) {
      asked = askedOf(JSON.parse(text) as Record<string, unknown>, prompt.maxTokens);
      known.set(text, asked);
    }
    run.route(asked);
  }
  return run;
}

const startedMs = performance.now();
const { runs, featuresMs } = await mixed();
const load = await loadTest();
const auto = runs[0]!.tally.shares;

if (!values.json) {
  const mix = Object.entries(kinds).map(([name, { share }]) => `${name} ${Math.round(share * 100)}`);
  console.log(`${count.toLocaleString("en-US")} requests, seed ${seed}; the mix in percent: ${mix.join(", ")}\n`);
  const field = ["the field's figure", "70 %", "20 %", "10 %", "", "", "71 %", ""];
  console.log(renderTable(columns, [...runs.map(rowOf), field]));
  const reasons = Object.entries(auto.reasons).map(([reason, n]) => `${reason} ${percent(n / auto.requests)}`);
  console.log(`\nauto, by reason: ${reasons.join(", ")}`);
  console.log(`Reading a request and its features: ${(featuresMs * 1_000).toFixed(1)} µs on average.`);
  console.log("Saved: against the reference model (claude-sonnet-4-6) for every request.");
  console.log("\nThe load test's prompts, four of five short; about 80 % should stay self-hosted:\n");
  console.log(renderTable(columns, [rowOf(load)]));
  console.log("");
}
const round = (value: number | undefined): number | null => (value === undefined ? null : Number(value.toFixed(4)));
console.log(
  JSON.stringify({
    requests: count,
    seed,
    strategies: Object.fromEntries(
      runs.map((run) => {
        const { tiers, costUsd, referenceUsd, saving, unpriced, reasons } = run.tally.shares;
        const shares = Object.fromEntries(Object.entries(tiers).map(([tier, share]) => [tier, round(share)]));
        const figures = { shares, costUsd: round(costUsd), referenceUsd: round(referenceUsd), saving: round(saving) };
        return [run.strategy, { ...figures, unpriced, decisionUs: round(run.decisionMs * 1_000), reasons }];
      }),
    ),
    featuresUs: round(featuresMs * 1_000),
    loadTestSelfHosted: round(load.tally.shares.tiers["self-hosted"]),
    field: { shares: [0.7, 0.2, 0.1], saving: 0.71 },
    seconds: Number(((performance.now() - startedMs) / 1_000).toFixed(1)),
    peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  }),
);
