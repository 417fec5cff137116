import { afterAll, beforeAll, expect, test } from "bun:test";
import { Command } from "commander";
import { type AdminRig, adminRig, operatorToken } from "../../../test/fixtures/admin-rig.ts";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { attemptOf, cloudTarget, exchangeOf, seeded } from "../../../test/fixtures/ledger-rows.ts";
import { adminCommands } from "../../cli/admin-commands.ts";
import { adminApp } from "../admin-app.ts";

const hourMs = 3_600_000;
const target = deployment(upstream("far", "cloud"), "large");
let rig: AdminRig;

beforeAll(async () => {
  rig = await adminRig();
  await rig.clock.advance(100 * hourMs);
  rig.trials.experiments = [
    {
      name: "model",
      when: undefined,
      models: [],
      sticky: "key",
      arms: [
        { name: "old", weight: 3, targets: [target], strategy: undefined },
        { name: "new", weight: 1, targets: undefined, strategy: "cost" },
        { name: "idle", weight: 1, targets: [target], strategy: undefined },
      ],
    },
  ];
  rig.trials.shadows = [
    { name: "trial", when: undefined, target, sample: 0.05, maxConcurrent: 4, maxUsdPerDay: undefined },
  ];
  const fraction = seeded(3);
  const row = (id: string, hour: number, tags: string[], cost: number, failed: boolean) => ({
    orphaned: false,
    record: exchangeOf(id, hour * hourMs + 1, {
      tags,
      cost,
      durationMs: 100 + fraction() * 20,
      outcome: failed ? ("error" as const) : ("ok" as const),
      served: cloudTarget,
      attempts: [attemptOf(cloudTarget, { cost })],
    }),
  });
  const rows = Array.from({ length: 20 }, (_, hour) =>
    Array.from({ length: 5 }, (_, i) => [
      row(`old-${hour}-${i}`, hour, ["experiment:model=old"], 1_000 + Math.round(fraction() * 100), i === 0),
      row(`new-${hour}-${i}`, hour, ["experiment:model=new"], 500 + Math.round(fraction() * 100), false),
    ]),
  );
  await rig.ledger.append(rows.flat(2));
  await rig.ledger.append([row("copy", 3, ["shadow:trial"], 700, false)]);
});
afterAll(() => rig.stop());

const read = (query = "") => rig.call("GET", `/admin/v1/experiments${query}`, { token: operatorToken });

test("each arm has its own sums, with intervals and what they say against the first", async () => {
  const { json } = await read();
  const [{ arms }] = json.experiments;
  expect(
    arms.map((arm: Record<string, unknown>) => [arm["arm"], arm["share"], arm["requests"], arm["errors"]]),
  ).toEqual([
    ["old", 0.6, 100, 20],
    ["new", 0.2, 100, 0],
    ["idle", 0.2, 0, 0],
  ]);
  const [old, fresh, idle] = arms;
  expect(old.error_share_interval.low).toBeCloseTo(0.1334, 3);
  expect(old.against_first).toBeNull();
  expect(fresh.against_first).toEqual({ errors: "lower", cost: "lower", latency: "no_difference_shown" });
  expect(fresh.mean_cost_interval.low).toBeLessThan(fresh.mean_cost_usd);
  expect(idle).toMatchObject({ error_share: null, mean_cost_usd: null, mean_ms_interval: null });
  expect(idle.against_first).toEqual({ errors: "unknown", cost: "unknown", latency: "unknown" });
});

test("a short range holds fewer requests and says less", async () => {
  const { json } = await read(`?from=1970-01-01T00:00:00Z&to=1970-01-01T03:00:00Z`);
  const [{ arms }] = json.experiments;
  expect(arms[1]).toMatchObject({ requests: 15, mean_cost_interval: null });
  expect(arms[1].against_first.cost).toBe("unknown");
});

test("a shadow has its copies in the ledger and its comparisons since the start", async () => {
  rig.trials.tally.drawn = 2;
  rig.trials.tally.skip("busy");
  const same = { sameFinish: true, similarity: 0.5, sameCalls: undefined, bothJson: undefined, lengthRatio: 2 };
  rig.trials.tally.compared({ ...same, sameText: false }, { durationMs: 30, firstContentMs: undefined, cost: 200 });
  const { json } = await read();
  expect(json.shadows).toEqual([
    expect.objectContaining({ name: "trial", target: "far/large", copies: 1, errors: 0, cost_usd: 7e-7 }),
  ]);
  expect(json.shadows[0].since_start).toMatchObject({
    drawn: 2,
    compared: 1,
    similarity: { mean: 0.5, of: 1 },
    same_text: { mean: 0, of: 1 },
    same_calls: { mean: null, of: 0 },
    cost_difference_usd: { mean: 2e-7, of: 1 },
  });
  expect(json.shadows[0].since_start.skipped.busy).toBe(1);
});

test("the command line shows a table of arms and one of each shadow", async () => {
  const app = adminApp(rig.deps);
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
  const env = { FAIRLEAD_URL: `http://127.0.0.1:${server.port}`, FAIRLEAD_ADMIN_TOKEN: operatorToken };
  const run = async (line: string): Promise<string> => {
    let output = "";
    const root = new Command("fairlead");
    for (const command of adminCommands(env, (told) => (output = told.output), rig.clock)) root.addCommand(command);
    await root.parseAsync(line.split(" "), { from: "user" });
    return output;
  };
  const text = await run("experiments");
  expect(text).toMatch(/^model: requests that name no model, sticky by key\nARM +SHARE +REQUESTS/);
  expect(text).toMatch(/\nnew +20\.0 % +100 +0\.0 % \(0\.0 % to 3\.7 %\) ▼ /);
  expect(text).toMatch(/\nidle +20\.0 % +0 +- \? /);
  expect(text).toContain("shadow trial: 5.0 % to far/large");
  expect(JSON.parse(await run("experiments --json")).experiments[0].arms).toHaveLength(3);
  expect(
    JSON.parse(await run("experiments --json --from 1970-01-02 --to 1970-01-03")).experiments[0].arms[0].requests,
  ).toBe(0);
  await server.stop(true);
});
