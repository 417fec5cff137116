import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChatBody, readError, say } from "../setup/clients.ts";
import {
  cloudOf,
  type Hybrid,
  type HybridOptions,
  type HybridSimulators,
  hybridConfig,
  localOf,
  on,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { makeKey } from "../setup/money.ts";
import { localModel } from "../setup/rig.ts";
import { untilUpstream } from "../setup/upstream-states.ts";

let simulators: HybridSimulators;
let hybrid: Hybrid;

beforeAll(async () => {
  simulators = await startHybridSimulators();
  hybrid = await startHybrid(simulators);
});
beforeEach(() => resetHybrid(simulators));

const under = (strategy: string, text = "Hi", more: object = {}): ChatBody =>
  say(text, { routing: { strategy }, ...more });

/** The one target that was asked, as the header and the simulators agree. */
async function servedBy(body: ChatBody, by = hybrid, headers: Record<string, string> = {}): Promise<string> {
  await Promise.all(Object.values(simulators).map((simulator) => simulator.clearHits()));
  const { status, target, text } = await by.ask(body, headers);
  expect(status, text).toBe(200);
  expect(await reached(simulators)).toEqual([target]);
  return target ?? "";
}

const failing = async (those: Partial<HybridSimulators>) => {
  await Promise.all(Object.values(those).map((simulator) => simulator.setFault({ spec: "status=500" })));
};

const longer = (characters: number): string => "Some more words of a long prompt. ".repeat(characters / 34 + 1);
const dollars = (perHour: number) => ({ cost: { perHour, tokensPerHour: 1_000_000 } });

describe("`auto`, in the order of its rules", () => {
  test("over 100,000 tokens → a window of a million; from 50,000 on → a cheap long window", async () => {
    expect([on.flash, on.pro, on.opus, on.sonnet]).toContain(await servedBy(under("auto", longer(404_000))));
    expect(await servedBy(under("auto", longer(240_000)))).toBe(on.flash);
  });

  test("code to write → the local code model; without one it is a request like others", async () => {
    const code = under("auto", "Write a Python function that parses ISO dates");
    expect(await servedBy(code)).toBe(on.coder);
    const own = await startHybrid(simulators, { only: ["vllm", "anthropic", "openai"] });
    expect(await servedBy(code, own)).toBe(on.small);
  });

  test("an answer wanted within 500 ms → the fastest local one, also for what it is not trusted with", async () => {
    const wanted = (max_latency_ms: number) => say(longer(9_000), { routing: { max_latency_ms } });
    expect([on.small, on.coder]).toContain(await servedBy(wanted(499)));
    expect(await hybrid.ask(wanted(499))).toMatchObject({ reason: "latency_wish" });
    expect(await servedBy(wanted(500))).toBe(on.sonnet);
  });

  test("more than local is trusted with → cloud, by the deployment's own adequacy", async () => {
    expect(await servedBy(under("auto", longer(6_100)))).toBe(on.sonnet);
    expect(await servedBy(under("auto", "Hi", { max_tokens: 1_025 }))).toBe(on.sonnet);
    const adequate = { promptTokens: 50_000, maxTokens: 4_000 };
    const models = [{ id: localModel, contextWindow: 131_072, adequate }];
    const strong = await startHybrid(simulators, { upstreams: { vllm: { models } } });
    expect(await servedBy(under("auto", longer(100_000), { max_tokens: 4_000 }), strong)).toBe(on.small);
  });

  test("else the cheapest local one that is trusted with it", async () => {
    const own = await startHybrid(simulators, { upstreams: { vllm: dollars(5), coder: dollars(1) } });
    expect(await servedBy(under("auto"), own)).toBe(on.coder);
  });
});

describe("`fast`, or `latency`: lowest observed", () => {
  test.each(["fast", "latency"])("`%s` takes local ones while nothing was observed", async (name) => {
    const fresh = await startHybrid(simulators);
    expect([on.small, on.coder]).toContain(await servedBy(under(name), fresh));
  });

  test.each(["fast", "latency"])("`%s` takes whoever gave its first token soonest, cloud or not", async (name) => {
    const own = await startHybrid(simulators);
    await simulators.vllm.setState({ firstTokenMs: 400 });
    await simulators.coder.setState({ firstTokenMs: 400 });
    const measured = Object.values(on).map(async (target) => {
      const slow = target === on.haiku ? "" : "[[sim:ttft=300]]";
      for (let i = 0; i < 2; i++) await own.ask(say(`${slow}Hi`, { model: target, stream: true }));
    });
    await Promise.all(measured);
    expect(await servedBy(under(name, "Hi", { stream: true }), own)).toBe(on.haiku);
  });
});

describe("`quality`", () => {
  test("takes the highest quality weight", async () => {
    expect(await servedBy(under("quality"))).toBe(on.opus);
  });

  test("by the weights of the config where it has some", async () => {
    const models = [{ id: localModel, contextWindow: 32_768, weights: { quality: 1 } }];
    const own = await startHybrid(simulators, { upstreams: { vllm: { models } } });
    expect(await servedBy(under("quality"), own)).toBe(on.small);
  });

  test("falls to the next best", async () => {
    await failing({ anthropic: simulators.anthropic });
    expect((await hybrid.ask(under("quality"))).target).toBe(on.pro);
  });
});

describe("`cost`", () => {
  test("takes the cheapest of all, local or cloud", async () => {
    const cheap = await startHybrid(simulators, { upstreams: { vllm: dollars(500), coder: dollars(0.01) } });
    expect(await servedBy(under("cost"), cheap)).toBe(on.coder);
    const dear = await startHybrid(simulators, { upstreams: { vllm: dollars(500), coder: dollars(500) } });
    expect(await servedBy(under("cost"), dear)).toBe(on.mini);
  });

  test("an unpriced cloud model is never taken for free", async () => {
    const own = await startHybrid(simulators, {
      upstreams: {
        vllm: dollars(500),
        coder: dollars(500),
        openai: { models: [{ id: "gpt-4o-mini" }, { id: "nobody-knows-its-price" }] },
      },
    });
    expect(await servedBy(under("cost"), own)).toBe(on.mini);
  });
});

describe("`long_context`", () => {
  test("takes the largest window, also for a short prompt", async () => {
    expect(await servedBy(under("long_context"))).toBe(on.pro);
    expect(await servedBy(under("long_context", longer(800_000)))).toBe(on.pro);
  });

  test("then the next largest", async () => {
    await failing({ gemini: simulators.gemini });
    expect((await hybrid.ask(under("long_context"))).target).toMatch(/^anthropic\/claude-(opus|sonnet)/);
  });
});

describe("`balanced`", () => {
  const weighted = (weights: object): HybridOptions => ({
    strategies: { mine: { rules: [{ name: "mean", prefer: { order: "balanced", weights } }] } },
  });

  test("takes the best weighted mean: neither the best model nor the smallest", async () => {
    const target = await servedBy(under("balanced"));
    expect([on.mini, on.flash, on.haiku]).toContain(target);
  });

  test("follows its weights", async () => {
    const best = await startHybrid(simulators, weighted({ cost: 0, latency: 0, quality: 1 }));
    expect(await servedBy(under("mine"), best)).toBe(on.opus);
    const cheapest = await startHybrid(simulators, weighted({ cost: 1, latency: 0, quality: 0 }));
    expect([on.mini, on.flash]).toContain(await servedBy(under("mine"), cheapest));
  });
});

describe("`local_first`, or `cluster_first`", () => {
  test.each(["local_first", "cluster_first"])("`%s` takes local, however long or complex", async (name) => {
    expect(await servedBy(under(name, longer(20_000)))).toBe(on.small);
    expect(await servedBy(under(name, "Hi", { max_tokens: 4_000 }))).toBe(on.small);
  });

  test.each(["local_first", "cluster_first"])("`%s` goes to cloud when local fails", async (name) => {
    await failing(localOf(simulators));
    expect(await hybrid.ask(under(name))).toMatchObject({ status: 200, target: on.sonnet, backend: "cloud" });
  });

  test("goes to cloud while local is overloaded, and comes back", async () => {
    const settings = { maxQueueDepth: 1 };
    const own = await startHybrid(simulators, {
      only: ["vllm", "anthropic"],
      upstreams: { vllm: { models: [{ id: localModel, contextWindow: 32_768, slots: 1 }] } },
      strategies: { local_first: { settings } },
    });
    await simulators.vllm.setState({ slots: 1 });
    const running = [0, 1, 2].map(() => own.ask(under("local_first", "[[sim:tokens=40]][[sim:pace=25]]")));
    await simulators.vllm.waitForHit({ method: "POST" });
    await expect.poll(async () => (await simulators.vllm.generations()).length).toBe(3);
    const over = await own.ask(under("local_first"));
    expect(over).toMatchObject({ status: 200, target: on.sonnet, reason: "local_full" });
    for (const { target } of await Promise.all(running)) expect(target).toBe(on.small);
    expect(await own.ask(under("local_first"))).toMatchObject({ status: 200, target: on.small });
  });
});

describe("`cloud_first`, or `external_first`", () => {
  test.each(["cloud_first", "external_first"])("`%s` takes cloud, and local only when cloud fails", async (name) => {
    expect(await servedBy(under(name))).toBe(on.sonnet);
    await failing({ anthropic: simulators.anthropic });
    const other = await hybrid.ask(under(name));
    expect(other).toMatchObject({ status: 200, backend: "cloud" });
    await failing(cloudOf(simulators));
    expect(await hybrid.ask(under(name))).toMatchObject({ status: 200, backend: "local", target: on.small });
  });

  test.each(["cloud_first", "external_first"])("`%s` goes local when the budget is used up", async (name) => {
    const broke = await startHybrid(simulators, {
      budgets: { cloud: { scope: { placement: "cloud" }, limitUsd: 0 } },
    });
    expect(await servedBy(under(name), broke)).toBe(on.small);
    expect(await broke.ask(under(name))).toMatchObject({ backend: "local", reason: "budget_exhausted" });
  });
});

describe("`capability`", () => {
  const image = [
    { type: "text", text: "What is in this picture?" },
    { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
  ];
  const priced: HybridOptions = { upstreams: { vllm: dollars(0.01), coder: dollars(0.02) } };

  test("takes the cheapest that can do it", async () => {
    const own = await startHybrid(simulators, priced);
    expect(await servedBy(under("capability"), own)).toBe(on.small);
    const seen = await servedBy({ ...under("capability"), messages: [{ role: "user", content: image }] }, own);
    expect(seen).toBe(on.mini);
  });

  test("takes a code model for code, and a window that fits", async () => {
    const own = await startHybrid(simulators, priced);
    expect(await servedBy(under("capability", "Write a function in Python that parses a date"), own)).toBe(on.coder);
    expect(await servedBy(under("capability", longer(600_000)), own)).toBe(on.flash);
  });
});

describe("`self_hosted_only`", () => {
  test("fails rather than leaves", async () => {
    expect(await servedBy(under("self_hosted_only", longer(20_000)))).toBe(on.small);
    await failing(localOf(simulators));
    const { status } = await hybrid.ask(under("self_hosted_only"));
    expect(status).toBe(502);
    expect(await reached(cloudOf(simulators))).toEqual([]);
  });

  test("refuses a cloud name with a 400", async () => {
    const { status } = await hybrid.ask(under("self_hosted_only", "Hi", { model: "claude-opus-4-8" }));
    expect(status).toBe(400);
    expect(await reached(simulators)).toEqual([]);
  });
});

test("`cloud_only` fails rather than stays", async () => {
  expect(await servedBy(under("cloud_only"))).toBe(on.sonnet);
  await failing(cloudOf(simulators));
  expect((await hybrid.ask(under("cloud_only"))).status).toBe(502);
  expect(await reached(localOf(simulators))).toEqual([]);
});

describe("`hybrid`", () => {
  test("is local while it is cheap, healthy and free", async () => {
    expect(await servedBy(under("hybrid"))).toBe(on.small);
    const cheap = await startHybrid(simulators, { upstreams: { vllm: dollars(1), coder: dollars(2) } });
    expect(await servedBy(under("hybrid"), cheap)).toBe(on.small);
  });

  test("serves a route `gpt-3.5-turbo` from the cluster", async () => {
    const own = await startHybrid(simulators, { models: { "gpt-3.5-turbo": { strategy: "hybrid" } } });
    expect(await servedBy(say("Hi", { model: "gpt-3.5-turbo" }), own)).toBe(on.small);
  });

  test("leaves for the cheapest cloud when local costs more than the threshold", async () => {
    // 0.02 dollars for 1,000 tokens, over the threshold of 0.01.
    const own = await startHybrid(simulators, { upstreams: { vllm: dollars(20), coder: dollars(20) } });
    expect(await servedBy(under("hybrid"), own)).toBe(on.mini);
    const patient = await startHybrid(simulators, {
      upstreams: { vllm: dollars(20), coder: dollars(20) },
      strategies: { hybrid: { settings: { localCostThreshold: 0.05 } } },
    });
    expect(await servedBy(under("hybrid"), patient)).toBe(on.small);
  });

  test("leaves when local fails its probes", async () => {
    const quick = { health: { intervalMs: 100 } };
    const own = await startHybrid(simulators, { upstreams: { vllm: quick, coder: quick } });
    await Promise.all(Object.values(localOf(simulators)).map((simulator) => simulator.setState({ healthy: false })));
    for (const name of ["vllm", "coder"]) await untilUpstream(own.url, name, ({ healthy }) => !healthy);
    expect(await servedBy(under("hybrid"), own)).toBe(on.mini);
  });

  test("leaves while more wait than `maxQueueDepth`", async () => {
    const own = await startHybrid(simulators, {
      only: ["vllm", "openai", "anthropic"],
      upstreams: { vllm: { models: [{ id: localModel, contextWindow: 32_768, slots: 1 }] } },
      strategies: { hybrid: { settings: { maxQueueDepth: 1 } } },
    });
    await simulators.vllm.setState({ slots: 1 });
    const running = [0, 1, 2].map(() => own.ask(under("hybrid", "[[sim:tokens=40]][[sim:pace=25]]")));
    await expect.poll(async () => (await simulators.vllm.generations()).length).toBe(3);
    expect((await own.ask(under("hybrid"))).target).toBe(on.mini);
    await Promise.all(running);
  });

  test("leaves when local takes longer than `maxLatencyMs`", async () => {
    const own = await startHybrid(simulators, {
      only: ["vllm", "openai", "anthropic"],
      strategies: { hybrid: { settings: { maxLatencyMs: 100 } } },
    });
    await simulators.vllm.setState({ firstTokenMs: 300 });
    for (let i = 0; i < 3; i++) await own.ask(say("Hi", { model: "local", stream: true }));
    expect(await servedBy(under("hybrid", "Hi", { stream: true }), own)).toBe(on.mini);
  });

  test("with `externalFallback: false` never leaves", async () => {
    const own = await startHybrid(simulators, {
      upstreams: { vllm: dollars(20), coder: dollars(20) },
      strategies: { hybrid: { settings: { externalFallback: false } } },
    });
    expect([on.small, on.coder]).toContain(await servedBy(under("hybrid"), own));
    await failing(localOf(simulators));
    expect((await own.ask(under("hybrid"))).status).toBe(502);
    expect(await reached(cloudOf(simulators))).toEqual([]);
  });
});

describe("who decides, strongest first", () => {
  test("header, `routing`, `routing_strategy`, key, route, config", async () => {
    const own = await startHybrid(simulators, {
      models: { routed: { strategy: "long_context" } },
      routing: { strategy: "quality" },
    });
    const { headers } = await makeKey(own.call, "placed", { strategy: "cloud_only" });
    const { headers: plain } = await makeKey(own.call, "plain");
    const ask = (more: Record<string, unknown>, by: Record<string, string>) => servedBy(say("Hi", more), own, by);
    const model = "routed";
    const routing = { strategy: "self_hosted_only" };
    const routing_strategy = "cloud_first";
    const header = { "x-router-strategy": "quality" };
    expect(await ask({ model, routing, routing_strategy }, { ...headers, ...header })).toBe(on.opus);
    expect(await ask({ model, routing, routing_strategy }, headers)).toBe(on.small);
    expect(await ask({ model, routing_strategy: "self_hosted_only" }, headers)).toBe(on.small);
    expect(await ask({ model }, headers)).toBe(on.sonnet);
    expect(await ask({ model }, plain)).toBe(on.pro);
    expect(await ask({ model: "auto" }, plain)).toBe(on.opus);
    expect(await ask({ model: "auto" }, headers)).toBe(on.sonnet);
  });

  test("an explicit model beats each of them", async () => {
    for (const strategy of ["cloud_only", "quality", "cost", "long_context", "hybrid"]) {
      expect(await servedBy(under(strategy, "Hi", { model: on.small }))).toBe(on.small);
    }
    expect(await servedBy(under("local_first", "Hi", { model: "claude-opus-4-8" }))).toBe(on.opus);
  });
});

test("an unknown strategy is a 400 in the client's format that names the field, the names there are and a near one", async () => {
  for (const [headers, more] of [
    [{ "x-router-strategy": "clout_only" }, {}],
    [{}, { routing: { strategy: "clout_only" } }],
    [{}, { routing_strategy: "clout_only" }],
  ] as const) {
    const response = await fetch(`${hybrid.url}/v1/chat/completions`, {
      method: "POST",
      headers,
      body: JSON.stringify(say("Hi", more)),
    });
    expect(response.status).toBe(400);
    const error = await readError(response);
    expect(error.message).toContain("`cloud_only`");
    expect(error.message).toContain("self_hosted_only");
    expect(error.param).toContain("strategy");
  }
  expect(await reached(simulators)).toEqual([]);
});

test("the config that these tests run on is the shipped one: no routing list is overridden", () => {
  const { routing } = hybridConfig(simulators);
  expect(Object.keys(routing ?? {}).sort()).toEqual(["backoffMs", "breaker", "retriesPerTarget"]);
});
