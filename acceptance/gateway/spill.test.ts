import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { say } from "../setup/clients.ts";
import {
  type Hybrid,
  type HybridOptions,
  type HybridSimulators,
  on,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { localModel, openaiModel } from "../setup/rig.ts";

let simulators: HybridSimulators;

beforeAll(async () => {
  simulators = await startHybridSimulators();
});
beforeEach(() => resetHybrid(simulators));

const ask = (more: object = {}, words = "Hi") => say(words, { model: "small", stream: true, ...more });

/** A gateway whose route `small` is a local model that takes 300 ms to its first token, and knows it. */
async function slowLocal(options: HybridOptions & { readonly route?: object } = {}): Promise<Hybrid> {
  const { route, ...more } = options;
  const hybrid = await startHybrid(simulators, {
    only: ["vllm", "openai"],
    ...more,
    models: { small: { targets: [localModel], fallback: [openaiModel], ...route } },
  });
  await simulators.vllm.setState({ firstTokenMs: 300 });
  for (let i = 0; i < 3; i++) await hybrid.ask(say("Hi", { model: on.small, stream: true }));
  for (const simulator of Object.values(simulators)) await simulator.clearHits();
  return hybrid;
}

describe("a request whose local target would answer too late goes to cloud", () => {
  test("by the client's wish, in the header or the body", async () => {
    const hybrid = await slowLocal();
    expect(await hybrid.ask(ask())).toMatchObject({ target: on.small, reason: "alias" });
    const late = { "x-router-max-latency-ms": "100" };
    expect(await hybrid.ask(ask(), late)).toMatchObject({
      status: 200,
      target: on.mini,
      reason: "spill",
      fallback: `${on.small};spill`,
    });
    expect(await hybrid.ask(ask({ routing: { max_latency_ms: 100 } }))).toMatchObject({ target: on.mini });
    expect(await hybrid.ask(ask({ routing: { max_latency_ms: 5_000 } }))).toMatchObject({ target: on.small });
    expect(await reached(simulators)).toEqual([on.mini, on.mini, on.small, on.small]);
  });

  test("by the route's `maxTtftMs`, and only on that route", async () => {
    const hybrid = await slowLocal({ route: { maxTtftMs: 100 } });
    expect(await hybrid.ask(ask())).toMatchObject({ target: on.mini, reason: "spill" });
    expect(await hybrid.ask(ask({ model: "local" }))).toMatchObject({ target: on.small });
  });

  test("by the config's, also under `auto`", async () => {
    const hybrid = await slowLocal({ routing: { spill: { maxTtftMs: 100 } } });
    expect(await hybrid.ask(ask({ model: "auto" }))).toMatchObject({ target: on.mini, reason: "spill" });
  });

  test("because of what waits there, and comes back when the queue is gone", async () => {
    const hybrid = await startHybrid(simulators, {
      only: ["vllm", "openai"],
      upstreams: { vllm: { models: [{ id: localModel, contextWindow: 32_768, slots: 1 }] } },
      models: { small: { targets: [localModel], fallback: [openaiModel], maxTtftMs: 400 } },
    });
    await simulators.vllm.setState({ slots: 1 });
    const busy = "[[sim:tokens=40]][[sim:pace=10]]";
    for (let i = 0; i < 2; i++) await hybrid.ask(ask({}, busy));
    await simulators.vllm.clearHits();
    // Each works for about 400 ms: the third to come would wait for twice that.
    const running = [hybrid.ask(ask({ model: on.small }, busy)), hybrid.ask(ask({ model: on.small }, busy))];
    await expect.poll(async () => (await simulators.vllm.generations()).length, { interval: 5 }).toBe(2);
    expect(await hybrid.ask(ask())).toMatchObject({ target: on.mini, reason: "spill" });
    await Promise.all(running);
    expect(await hybrid.ask(ask())).toMatchObject({ target: on.small, reason: "alias" });
  });

  test("the decision tells what it would have been, and what it is expected to cost", async () => {
    const hybrid = await slowLocal({ route: { maxTtftMs: 100 } });
    const { id } = await hybrid.ask(ask());
    const decision = (await (await fetch(`${hybrid.url}/v1/decisions/${id}`)).json()) as Record<string, unknown>;
    expect(decision).toMatchObject({ reason: "spill", target: on.mini, first_choice: on.small });
    expect(decision["exclusions"]).toContainEqual({ target: on.small, reason: "spill" });
    expect(decision["spill_cost_usd"]).toBeGreaterThan(0);
  });

  test("and still to the local one when cloud fails", async () => {
    const hybrid = await slowLocal({ route: { maxTtftMs: 100 } });
    await simulators.openai.setFault({ spec: "status=500" });
    expect(await hybrid.ask(ask())).toMatchObject({ status: 200, target: on.small });
  });
});

describe("what keeps it local", () => {
  test("`spill: false` never leaves", async () => {
    const hybrid = await slowLocal({ route: { maxTtftMs: 100 }, routing: { spill: false } });
    for (const body of [ask(), ask({ routing: { max_latency_ms: 10 } }), ask({ model: "local" })]) {
      expect(await hybrid.ask(body)).toMatchObject({ target: on.small });
    }
    expect(await reached({ openai: simulators.openai })).toEqual([]);
  });

  test("a client that allows no fallbacks waits", async () => {
    const hybrid = await slowLocal({ route: { maxTtftMs: 100 } });
    expect(await hybrid.ask(ask({ routing: { allow_fallbacks: false } }))).toMatchObject({ target: on.small });
  });

  test("a route without any cloud target waits", async () => {
    const hybrid = await slowLocal({ route: { maxTtftMs: 100, fallback: [] } });
    expect(await hybrid.ask(ask())).toMatchObject({ target: on.small });
  });

  test("the dollars of an hour: what would pass them waits", async () => {
    const price = { model: openaiModel, provider: "openai", input: 10, output: 100 };
    const hybrid = await slowLocal({
      route: { maxTtftMs: 100 },
      pricing: { overrides: [price] },
      routing: { spill: { maxUsdPerHour: 0.01 } },
    });
    const answers: string[] = [];
    // 40 tokens out are 0.4 cents: two fit, a third one would not.
    for (let i = 0; i < 4; i++) {
      const { target } = await hybrid.ask(ask({ max_tokens: 40 }, "[[sim:tokens=40]]"));
      answers.push(target ?? "");
    }
    expect(answers[0]).toBe(on.mini);
    expect(answers.at(-1)).toBe(on.small);
    const spilled = answers.filter((target) => target === on.mini).length;
    expect(spilled).toBeLessThanOrEqual(2);
  });

  test("the dollars of an hour also when all come at once", async () => {
    const price = { model: openaiModel, provider: "openai", input: 10, output: 100 };
    const hybrid = await slowLocal({
      route: { maxTtftMs: 100 },
      pricing: { overrides: [price] },
      routing: { spill: { maxUsdPerHour: 0.01 } },
    });
    const all = await Promise.all(
      Array.from({ length: 12 }, () => hybrid.ask(ask({ max_tokens: 40 }, "[[sim:tokens=40]][[sim:pace=5]]"))),
    );
    expect(all.map(({ status }) => status)).toEqual(Array(12).fill(200));
    const spilled = all.filter(({ reason }) => reason === "spill").length;
    expect(spilled).toBeGreaterThanOrEqual(1);
    expect(spilled).toBeLessThanOrEqual(2);
  });
});
