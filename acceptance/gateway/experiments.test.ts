import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { describe, expect, test, vi } from "vitest";
import { operator } from "../setup/admin.ts";
import { runBun } from "../setup/child-process.ts";
import { type ChatBody, postChat, say } from "../setup/clients.ts";
import { gatewayProgram } from "../setup/gateway-process.ts";
import { inputTokens, ledgerRows, makeKey, nano, nanoCost, prices, pricing } from "../setup/money.ts";
import { claudeModels, localModel, openaiModel, type Rig, type RigOptions, startRig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

type Routing = NonNullable<FairleadConfigInput["routing"]>;
type Shadow = NonNullable<Routing["shadows"]>[number];

const auth = { secret: { env: "HASH_SECRET" } };
const env = { HASH_SECRET: "a-secret-of-at-least-32-characters-for-tests" };
const cloudTarget = `openai/${openaiModel}`;
const sonnet = claudeModels[1];

interface Trial {
  readonly rig: Rig;
  readonly dir: string;
  readonly call: ReturnType<typeof operator>;
  readonly ask: (body: ChatBody, headers?: Readonly<Record<string, string>>) => Promise<Response>;
}

async function start(
  routing: Routing,
  more: FairleadConfigInput | object = {},
  upstreams?: RigOptions["upstreams"],
): Promise<Trial> {
  const dir = tempDir();
  const config = { auth, storage: { dir }, pricing: pricing(), ...more, routing };
  const rig = await startRig({ config, env, ...(upstreams && { upstreams }) });
  const ask: Trial["ask"] = (body, headers = {}) => postChat(rig.gateway.url, body, headers);
  return { rig, dir, call: operator(rig.gateway, dir), ask };
}

const targetOf = (response: Response): string => response.headers.get("x-router-target") ?? "";
const results = async ({ call }: Trial) => (await call("GET", "/experiments")).json;

describe("experiments", () => {
  const split: Routing = {
    experiments: [
      {
        name: "model",
        sticky: "conversation",
        arms: [
          { name: "old", weight: 3, targets: [cloudTarget] },
          { name: "new", weight: 1, targets: [`vllm/${localModel}`] },
        ],
      },
    ],
  };

  test("weights hold over 400 conversations, turns of one stay in its arm, and results add up to the ledger", async () => {
    const trial = await start(split);
    const arms = new Map<string, string>();
    const cost: Record<string, number> = {};
    const first = async (i: number): Promise<void> => {
      const body = say(`[[sim:tokens=4]] conversation ${i}`);
      const response = await trial.ask(body);
      expect(response.status, await response.text()).toBe(200);
      const target = targetOf(response);
      arms.set(`${i}`, target);
      const price = target === cloudTarget ? prices.openai : prices.local;
      cost[target] = (cost[target] ?? 0) + nanoCost(price, inputTokens(body), 4);
    };
    for (let i = 0; i < 400; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => first(i + j)));
    const share = [...arms.values()].filter((target) => target === cloudTarget).length / 400;
    // Five standard deviations.
    expect(Math.abs(share - 0.75)).toBeLessThan(0.11);
    for (let i = 0; i < 20; i++) {
      const messages = [
        { role: "user", content: `[[sim:tokens=4]] conversation ${i}` },
        { role: "assistant", content: "Yes." },
        { role: "user", content: "And [[sim:tokens=4]]?" },
      ];
      const response = await trial.ask({ model: "auto", messages });
      expect(response.headers.get("x-router-reason")).toBe("experiment");
      expect(targetOf(response)).toBe(arms.get(`${i}`));
      const price = targetOf(response) === cloudTarget ? prices.openai : prices.local;
      const { usage } = (await response.json()) as { usage: { prompt_tokens: number } };
      cost[targetOf(response)] = (cost[targetOf(response)] ?? 0) + nanoCost(price, usage.prompt_tokens, 4);
    }
    const rows = await ledgerRows(trial.call, 420);
    const { experiments } = await results(trial);
    const [{ name, sticky, arms: told }] = experiments;
    expect([name, sticky]).toEqual(["model", "conversation"]);
    for (const [arm, target, weight] of [
      [told[0], cloudTarget, 0.75],
      [told[1], `vllm/${localModel}`, 0.25],
    ] as const) {
      const own = rows.filter(({ tags }) => tags.includes(`experiment:model=${arm.arm}`));
      expect(arm).toMatchObject({ share: weight, requests: own.length, errors: 0, error_share: 0 });
      expect(own.every(({ served }) => served.target === target)).toBe(true);
      expect(nano(arm.cost_usd)).toBe(cost[target]);
      expect(arm.tokens.output).toBe(own.length * 4);
      expect(arm.mean_cost_usd).toBeCloseTo(arm.cost_usd / own.length, 12);
      expect(arm.error_share_interval.high).toBeLessThan(0.1);
      // An hour or two of traffic says nothing of how means scatter, and nothing is made up.
      expect([arm.mean_cost_interval, arm.mean_ms_interval]).toEqual([null, null]);
    }
    expect(told[0].requests + told[1].requests).toBe(420);
    const { ending, stdout } = await runBun(gatewayProgram, [
      ...["experiments", "--url", trial.rig.gateway.url, "--dir", trial.dir],
    ]);
    expect(ending).toBe(0);
    expect(stdout).toMatch(new RegExp(`\\nold +75\\.0 % +${told[0].requests} `));
  });

  test("clients cannot claim an arm, a shadow, or choose one by their tags", async () => {
    const trial = await start({ experiments: [{ ...split.experiments![0]!, models: ["auto"], sticky: "request" }] });
    const forged = "experiment:model=new,experiment:model=old,shadow:trial,mine";
    await trial.ask(say("Hi", { model: openaiModel }), { "x-router-tags": forged });
    const [row] = await ledgerRows(trial.call, 1);
    expect(row.tags).toEqual(["mine"]);
  });

  test("a key stays in its arm whatever it asks, and an arm may be a strategy", async () => {
    const trial = await start({
      experiments: [
        {
          name: "place",
          sticky: "key",
          arms: [
            { name: "home", strategy: "local_first" },
            { name: "away", targets: [cloudTarget] },
          ],
        },
      ],
    });
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const { headers } = await makeKey(trial.call, `key ${i}`);
      const targets = new Set<string>();
      for (const text of ["One", "Two", "Three"]) targets.add(targetOf(await trial.ask(say(text), headers)));
      expect(targets.size).toBe(1);
      for (const target of targets) seen.add(target);
    }
    expect([...seen].sort()).toEqual([cloudTarget, `vllm/${localModel}`]);
    const rows = await ledgerRows(trial.call, 36);
    const home = rows.filter(({ tags }) => tags.includes("experiment:place=home"));
    expect(home.every(({ strategy, served }) => strategy === "local_first" && served.placement === "local")).toBe(true);
  });
});

describe("shadow copies", () => {
  const shadow = (more: Partial<Shadow> = {}): Routing => ({
    shadows: [{ name: "trial", target: cloudTarget, sample: 1, ...more }],
  });
  const copies = async (trial: Trial) => (await results(trial)).shadows[0].since_start;
  /** Waits until nothing is under way and so many requests were drawn. */
  const drawn = (trial: Trial, count: number) =>
    vi.waitFor(
      async () => {
        const since = await copies(trial);
        const left = Object.values(since.skipped as Record<string, number>).reduce((sum, n) => sum + n, 0);
        expect([since.drawn, since.running, since.answered + since.failed + left]).toEqual([count, 0, count]);
        return since;
      },
      { timeout: 10_000, interval: 30 },
    );

  test("reach their target, whole and streamed, are charged on rows of their own, and never reach the client", async () => {
    const trial = await start(shadow());
    const body = say("[[sim:tokens=8]] Hello", { model: localModel });
    const whole = await trial.ask(body, { "x-router-tags": "blue" });
    expect(targetOf(whole)).toBe(`vllm/${localModel}`);
    const text = await whole.text();
    const stream = await trial.ask({ ...body, stream: true });
    const streamed = await stream.text();
    const since = await drawn(trial, 2);
    expect(since).toMatchObject({ answered: 2, compared: 2, same_finish: { mean: 1, of: 2 } });
    // The simulators say the same to the same question.
    expect(since.same_text).toEqual({ mean: 1, of: 2 });
    expect(text + streamed).not.toContain(openaiModel);
    expect(JSON.stringify([...whole.headers, ...stream.headers])).not.toMatch(/gpt|openai|shadow/);
    const hits = await trial.rig.openai.generations();
    expect(hits.map(({ model, stream: streams, aborted }) => [model, streams, aborted])).toEqual([
      [openaiModel, false, false],
      [openaiModel, true, false],
    ]);
    const rows = await ledgerRows(trial.call, 4);
    const own = rows.filter(({ tags }) => tags.includes("shadow:trial"));
    expect(own.map(({ tags }) => tags)).toEqual([["blue", "shadow:trial"], ["shadow:trial"]]);
    const each = nanoCost(prices.openai, inputTokens(body), 8);
    expect(own.map(({ cost_usd }) => nano(cost_usd))).toEqual([each, each]);
    const ids = rows.map(({ id }) => id);
    expect(new Set(ids).size).toBe(4);
    expect(ids).toContain(whole.headers.get("x-router-decision-id"));
    const { json: savings } = await trial.call("GET", "/savings");
    expect(savings.data[0].compared).toBe(2);
    // Metrics count what clients asked.
    const metrics = await (await fetch(`${trial.rig.gateway.url}/metrics`)).text();
    expect(metrics).toMatch(/llm_router_requests_total\{target="vllm",status="200"\} 2\n/);
    expect(metrics).not.toMatch(/llm_router_requests_total\{target="openai"/);
    expect(nano((await results(trial)).shadows[0].cost_usd)).toBe(2 * each);
  });

  test("data that must stay is never copied to cloud: by header, key, strategy, residency, region, route", async () => {
    const trial = await start(
      {
        ...shadow(),
        residency: [
          { name: "patients", when: "headers['x-topic'] == 'patients'", placement: "local" },
          { name: "europe", when: "headers['x-topic'] == 'europe'", regions: ["eu-central"] },
        ],
      },
      { models: { inside: { targets: ["@local"], strategy: "self_hosted_only" } } },
      () => ({ vllm: { region: "eu-central" }, openai: { region: "us-east" } }),
    );
    const { headers: secretive } = await makeKey(trial.call, "secretive", { data: "local-only" });
    const { headers: plain } = await makeKey(trial.call, "plain");
    const { headers: narrow } = await makeKey(trial.call, "narrow", { models: [localModel] });
    const hi = say("Hi", { model: localModel });
    const asked: [ChatBody, Readonly<Record<string, string>>][] = [
      [hi, { "x-router-data": "local-only" }],
      [{ ...hi, stream: true }, { "x-router-data": "local-only" }],
      [hi, secretive],
      [hi, narrow],
      [hi, { "x-topic": "patients" }],
      [hi, { "x-topic": "europe" }],
      [say("Hi"), { "x-router-strategy": "self_hosted_only" }],
      [say("Hi", { model: "inside" }), {}],
      [{ ...hi, routing: { ignore: ["openai"] } }, {}],
      [{ ...hi, routing: { only: ["@local"] } }, {}],
    ];
    for (const [body, headers] of asked) {
      const response = await trial.ask(body, { ...plain, ...headers });
      expect(response.status, `${JSON.stringify(headers)} ${await response.text()}`).toBe(200);
    }
    const { skipped, answered } = await drawn(trial, asked.length);
    expect(answered).toBe(0);
    expect(skipped).toMatchObject({ residency: 7, key_not_allowed: 1, client_preference: 2 });
    expect(await trial.rig.openai.generations()).toEqual([]);
    // That copies work at all here.
    await (await trial.ask(hi, plain)).text();
    expect((await drawn(trial, asked.length + 1)).answered).toBe(1);
    expect(await trial.rig.openai.generations()).toHaveLength(1);
  });

  test("caps on what runs at one time and on a day's dollars hold", async () => {
    const body = say("[[sim:tokens=10]] Hello", { model: localModel, max_tokens: 10 });
    const each = nanoCost(prices.openai, inputTokens(body), 10);
    const trial = await start(shadow({ maxUsdPerDay: (each * 3.5) / 1e9, maxConcurrent: 2 }));
    await trial.rig.openai.setFault({ spec: "slow-headers=1500", times: 2 });
    await Promise.all(Array.from({ length: 10 }, async () => (await trial.ask(body)).text()));
    const first = await drawn(trial, 10);
    expect(first.answered).toBe(2);
    expect(first.skipped.busy).toBe(8);
    for (let i = 0; i < 4; i++) {
      await (await trial.ask(body)).text();
      await drawn(trial, 11 + i);
    }
    const after = await copies(trial);
    expect([after.answered, after.skipped.cap]).toEqual([3, 3]);
    expect(await trial.rig.openai.generations()).toHaveLength(3);
    await expect.poll(async () => nano((await results(trial)).shadows[0].cost_usd)).toBe(3 * each);
  });

  test("a key's limit counts no copy, its budget does, and a used-up one leaves copies out", async () => {
    const body = say("[[sim:tokens=10]] Hello", { model: localModel, max_tokens: 10 });
    const each = nanoCost(prices.openai, inputTokens(body), 10);
    const trial = await start(shadow(), {
      budgets: { cloud: { scope: { placement: "cloud" }, limitUsd: (each * 1.5) / 1e9, onExhausted: "refuse" } },
      limits: { each: { scope: { key: "*" }, requestsPerMinute: 3 } },
    });
    const { headers } = await makeKey(trial.call, "small");
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) {
      const response = await trial.ask(body, headers);
      statuses.push(response.status);
      await response.text();
      if (response.ok) await drawn(trial, i + 1);
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
    const { answered, skipped } = await copies(trial);
    expect([answered, skipped.refused]).toEqual([1, 2]);
    expect(await ledgerRows(trial.call, 5)).toHaveLength(5);
  });

  test("a shadow that fails, stalls or breaks off changes nothing for the client, and a drain still ends", async () => {
    const trial = await start(shadow({ maxConcurrent: 10 }), { server: { drainTimeoutMs: 500 } });
    const body = say("[[sim:tokens=40]] Hello", { model: localModel });
    const plain = await (await trial.ask(body, { "x-router-data": "local-only" })).json();
    for (const [i, spec] of ["status=500", "malformed", "cut=40"].entries()) {
      await trial.rig.openai.setFault({ spec, times: 1 });
      const response = await trial.ask(body);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ choices: (plain as { choices: unknown }).choices });
      await drawn(trial, i + 2);
    }
    const since = await copies(trial);
    expect([since.failed, since.skipped.residency]).toEqual([3, 1]);
    await trial.rig.openai.setFault({ spec: "stall=headers" });
    expect((await trial.ask(body)).status).toBe(200);
    await trial.rig.openai.waitForHit({ method: "POST", after: 2 });
    const startedAt = performance.now();
    trial.rig.gateway.child.process.kill("SIGTERM");
    expect(await trial.rig.gateway.child.ended).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    const decisions = trial.rig.gateway.child.records.filter((record) => record["event"] === "route_decision");
    const ofShadow = decisions.filter(({ tags }) => Array.isArray(tags) && tags.includes("shadow:trial"));
    expect(ofShadow.map(({ outcome }) => outcome)).toEqual(["error", "error", "error", "error"]);
    expect(ofShadow.at(-1)).toMatchObject({ error: "draining" });
  });

  test("tool calls are compared and go nowhere, and what is wanted as JSON is looked at as JSON", async () => {
    const trial = await start(shadow());
    const tools = [
      {
        type: "function",
        function: {
          name: "get_weather",
          parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        },
      },
    ];
    await (await trial.ask(say("Weather in Paris? [[sim:tool=get_weather]]", { model: localModel, tools }))).text();
    const json = { model: localModel, response_format: { type: "json_object" }, stream: true };
    await (await trial.ask(say("Give me JSON.", json))).text();
    // The client's answer comes in another format than the copy's: both are compared as the client would see them.
    await (await trial.ask(say("[[sim:tokens=30]] Hello", { model: sonnet, stream: true }))).text();
    const since = await drawn(trial, 3);
    expect(since).toMatchObject({
      compared: 3,
      same_finish: { mean: 1, of: 3 },
      same_calls: { mean: 1, of: 1 },
      both_json: { mean: 1, of: 1 },
      length_ratio: { mean: 1, of: 2 },
    });
  });
});
