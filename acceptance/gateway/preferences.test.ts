import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChatBody, postChat, readError, say } from "../setup/clients.ts";
import {
  cloudOf,
  type Hybrid,
  type HybridSimulators,
  localOf,
  on,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { localModel, openaiModel } from "../setup/rig.ts";
import { untilUpstream } from "../setup/upstream-states.ts";

let simulators: HybridSimulators;
let hybrid: Hybrid;

beforeAll(async () => {
  simulators = await startHybridSimulators();
  hybrid = await startHybrid(simulators, {
    models: { pair: { targets: ["gemini-2.5-flash", openaiModel], fallback: [] } },
  });
});
beforeEach(() => resetHybrid(simulators));

const wishing = (routing: object, more: object = {}): ChatBody => say("Hi", { routing, ...more });

async function servedBy(body: ChatBody, by = hybrid): Promise<string> {
  await Promise.all(Object.values(simulators).map((simulator) => simulator.clearHits()));
  const { status, target, text } = await by.ask(body);
  expect(status, text).toBe(200);
  expect(await reached(simulators)).toEqual([target]);
  return target ?? "";
}

/** The error of a request that reaches nobody. */
async function refusal(body: ChatBody, by = hybrid) {
  const response = await postChat(by.url, body);
  expect(response.ok).toBe(false);
  const error = await readError(response);
  expect(await reached(simulators)).toEqual([]);
  return { status: response.status, ...error };
}

const failing = async (those: Partial<HybridSimulators>) => {
  await Promise.all(Object.values(those).map((simulator) => simulator.setFault({ spec: "status=500" })));
};

describe("`order`", () => {
  test("goes first, by upstream, provider, model or target, and says so", async () => {
    expect(await servedBy(wishing({ order: ["openai"] }))).toBe(on.mini);
    expect(await servedBy(wishing({ order: ["claude-opus-4-8", "openai"] }))).toBe(on.opus);
    expect(await servedBy(wishing({ order: [on.coder] }))).toBe(on.coder);
    expect(await hybrid.ask(wishing({ order: ["openai"] }))).toMatchObject({ reason: "client_preference" });
  });

  test("is tried in that order, and the usual chain stands behind it", async () => {
    const order = ["openai", "claude-haiku-4-5-20251001"];
    await failing({ openai: simulators.openai });
    expect((await hybrid.ask(wishing({ order }))).target).toBe(on.haiku);
    await failing({ openai: simulators.openai, anthropic: simulators.anthropic });
    expect((await hybrid.ask(wishing({ order }))).target).toBe(on.small);
  });

  test("is no reason where the strategy never goes there", async () => {
    const { target, reason } = await hybrid.ask(wishing({ order: ["vllm"], strategy: "cloud_only" }));
    expect({ target, reason }).toEqual({ target: on.sonnet, reason: "strategy" });
  });

  test("arranges a route's own targets and adds none", async () => {
    expect(await servedBy(wishing({}, { model: "pair" }))).toBe(on.flash);
    expect(await servedBy(wishing({ order: ["openai"] }, { model: "pair" }))).toBe(on.mini);
    expect(await servedBy(wishing({ order: ["anthropic"] }, { model: "pair" }))).toBe(on.flash);
  });
});

describe("`only` and `ignore`", () => {
  test("leave out the rest, also behind a failure", async () => {
    expect(await servedBy(wishing({ only: ["openai"] }))).toBe(on.mini);
    await failing({ openai: simulators.openai });
    expect((await hybrid.ask(wishing({ only: ["openai"] }))).status).toBe(502);
    expect(new Set(await reached(simulators))).toEqual(new Set([on.mini]));
  });

  test("leave out what is named, and the decision tells why", async () => {
    expect(await servedBy(wishing({ ignore: ["@local"] }))).toBe(on.sonnet);
    const { reason, id } = await hybrid.ask(wishing({ ignore: ["@local"] }));
    expect(reason).toBe("client_preference");
    const decision = (await (await fetch(`${hybrid.url}/v1/decisions/${id}`)).json()) as { exclusions: unknown[] };
    expect(decision.exclusions).toContainEqual({ target: on.small, reason: "client_preference" });
  });

  test("that leave out the model asked for say so, and name what was wanted", async () => {
    const body = wishing({ ignore: ["anthropic"] }, { model: "claude-opus-4-8" });
    const { status, target, reason, fallback } = await hybrid.ask(body);
    expect(status).toBe(200);
    expect(target).toBe(on.flash);
    expect({ reason, fallback }).toEqual({ reason: "client_preference", fallback: `${on.opus};client_preference` });
  });
});

describe("`allow_fallbacks: false`", () => {
  test("asks the first target and no other", async () => {
    await failing(simulators);
    expect((await hybrid.ask(wishing({ allow_fallbacks: false }))).status).toBe(502);
    expect(new Set(await reached(simulators))).toEqual(new Set([on.small]));
    await Promise.all(Object.values(simulators).map((simulator) => simulator.clearHits()));
    const named = wishing({ allow_fallbacks: false }, { model: "claude-opus-4-8" });
    expect((await hybrid.ask(named)).status).toBe(502);
    expect(new Set(await reached(simulators))).toEqual(new Set([on.opus]));
  });

  test("does not replace a dead local model by cloud", async () => {
    const health = { intervalMs: 100 };
    const own = await startHybrid(simulators, { upstreams: { vllm: { health }, coder: { health } } });
    await Promise.all(Object.values(localOf(simulators)).map((one) => one.setState({ healthy: false })));
    for (const name of ["vllm", "coder"]) await untilUpstream(own.url, name, ({ healthy }) => !healthy);
    expect((await own.ask(wishing({}, { model: "local" }))).backend).toBe("cloud");
    await Promise.all(Object.values(simulators).map((simulator) => simulator.clearHits()));
    await failing(localOf(simulators));
    const { status, text } = await own.ask(wishing({ allow_fallbacks: false }, { model: "local" }));
    expect([502, 503], text).toContain(status);
    expect(await reached(cloudOf(simulators))).toEqual([]);
    expect((await reached(simulators)).length).toBe(1);
  });

  test("with an order asks the first of it", async () => {
    await failing({ openai: simulators.openai });
    expect((await hybrid.ask(wishing({ order: ["openai", "gemini"], allow_fallbacks: false }))).status).toBe(502);
    expect(new Set(await reached(simulators))).toEqual(new Set([on.mini]));
  });
});

describe("`require_parameters`", () => {
  test("leaves out targets that would drop one of the request's parameters", async () => {
    const seeded = { seed: 7, logit_bias: { "50256": -100 } };
    const order = ["claude-opus-4-8", "openai"];
    const plain = await postChat(hybrid.url, wishing({ order }, seeded));
    expect(plain.headers.get("x-router-target")).toBe(on.opus);
    expect(plain.headers.get("x-router-dropped")).toMatch(/seed|logit_bias/);
    await plain.text();
    expect(await servedBy(wishing({ order, require_parameters: true }, seeded))).toBe(on.mini);
    expect(await servedBy(wishing({ order, require_parameters: true }))).toBe(on.opus);
  });
});

describe("price limits", () => {
  test("`max_price` per million prompt or completion tokens", async () => {
    expect(await servedBy(wishing({ order: ["claude-opus-4-8", "openai"], max_price: { prompt: 1 } }))).toBe(on.mini);
    const dear = { max_price: { prompt: 1_000, completion: 1_000 } };
    expect(await servedBy(wishing({ order: ["claude-opus-4-8"], ...dear }))).toBe(on.opus);
    expect(await servedBy(wishing({ order: ["claude-opus-4-8", "openai"], max_price: { completion: 5 } }))).toBe(
      on.mini,
    );
  });

  test("`max_price.request` for what is paid for a request beside its tokens", async () => {
    const override = { model: "claude-opus-4-8", provider: "anthropic", input: 1, output: 1, perRequest: 0.01 };
    const own = await startHybrid(simulators, { pricing: { overrides: [override] } });
    const order = ["claude-opus-4-8", "openai"];
    expect(await servedBy(wishing({ order, max_price: { request: 0.001 } }), own)).toBe(on.mini);
    expect(await servedBy(wishing({ order, max_price: { request: 0.1 } }), own)).toBe(on.opus);
  });

  test("`max_cost_usd` for the whole request, also as a header", async () => {
    const order = ["claude-opus-4-8", "openai"];
    expect(await servedBy(wishing({ order, max_cost_usd: 0.0001 }))).toBe(on.mini);
    const served = await hybrid.ask(wishing({ order }), { "x-router-max-cost-usd": "0.0001" });
    expect(served).toMatchObject({ target: on.mini, fallback: `${on.opus};price_cap` });
  });

  test("that nobody keeps are a 400 that names every target", async () => {
    const body = wishing({ only: ["anthropic"], max_price: { completion: 0.000001 } });
    const { status, message, param } = await refusal(body);
    expect({ status, param }).toEqual({ status: 400, param: "routing" });
    for (const target of [on.opus, on.sonnet, on.haiku]) expect(message).toContain(`${target}: price_cap`);
    expect(message).toContain(`${on.mini}: client_preference`);
  });
});

describe("`sort`", () => {
  test("by price", async () => {
    const cost = { cost: { perHour: 500, tokensPerHour: 1_000_000 } };
    const own = await startHybrid(simulators, { upstreams: { vllm: cost, coder: cost } });
    const body = wishing({ sort: "price", strategy: "quality" });
    expect(await servedBy(body, own)).toBe(on.mini);
  });

  test("by latency and by throughput, as measured", async () => {
    const own = await startHybrid(simulators);
    const measure = async (target: string, words: string) => {
      for (let i = 0; i < 3; i++) {
        await own.ask(say(`${words}[[sim:tokens=20]]`, { model: target, stream: true }));
      }
    };
    await Promise.all([
      measure(on.mini, "[[sim:ttft=20]][[sim:pace=25]]"),
      measure(on.opus, "[[sim:ttft=250]][[sim:pace=1]]"),
    ]);
    const among = { only: ["openai", "claude-opus-4-8"], strategy: "quality" };
    expect(await servedBy(wishing({ ...among, sort: "latency" }, { stream: true }), own)).toBe(on.mini);
    expect(await servedBy(wishing({ ...among, sort: "throughput" }, { stream: true }), own)).toBe(on.opus);
  });
});

test("`models` are tried one after the other behind the one asked for", async () => {
  await failing({ anthropic: simulators.anthropic });
  const body = wishing({ models: [openaiModel, localModel] }, { model: "claude-opus-4-8" });
  expect((await hybrid.ask(body)).target).toBe(on.mini);
  await failing({ anthropic: simulators.anthropic, openai: simulators.openai });
  expect((await hybrid.ask(body)).target).toBe(on.small);
});

describe("OpenRouter's `provider`, `models` and `route`", () => {
  const foreign = { provider: { order: ["openai"], allow_fallbacks: false }, models: [openaiModel], route: "fallback" };

  test("are taken at the top level, and never reach an upstream", async () => {
    expect(await servedBy(say("Hi", { provider: { order: ["openai"] } }))).toBe(on.mini);
    expect(await servedBy(say("Hi", foreign))).toBe(on.mini);
    const [hit] = await simulators.openai.generations();
    expect(Object.keys(hit?.body as object).sort()).toEqual(["messages", "model"]);
  });

  test("`data_collection: deny` keeps the request on the premises", async () => {
    const deny = { provider: { data_collection: "deny" } };
    expect(await servedBy(say("Hi", { ...deny, max_tokens: 4_000 }))).toBe(on.small);
    await failing(localOf(simulators));
    expect((await hybrid.ask(say("Hi", deny))).status).toBe(502);
    expect(await reached(cloudOf(simulators))).toEqual([]);
  });

  test("`routing` beats them", async () => {
    expect(await servedBy(say("Hi", { provider: { order: ["openai"] }, routing: { order: ["gemini"] } }))).toMatch(
      /^gemini\//,
    );
  });

  test("pass through untouched where a candidate is a router that knows them itself", async () => {
    const own = await startHybrid(simulators, {
      only: ["vllm", "gemini"],
      upstreams: {
        openrouter: {
          preset: "openrouter",
          // A simulator that takes unknown fields, as that router does.
          baseUrl: `${simulators.vllm.url}/v1`,
          auth: { type: "bearer", key: "${LOCAL_API_KEY}" },
          models: [{ id: localModel, aliases: ["routed-elsewhere"] }],
        },
      },
    });
    const { status, target, text } = await own.ask(say("Hi", { model: "routed-elsewhere", ...foreign }));
    expect({ status, target }, text).toEqual({ status: 200, target: `openrouter/${localModel}` });
    const [hit] = await simulators.vllm.generations();
    expect(hit?.body).toMatchObject(foreign);
  });
});

describe("what cannot be meant is a 400 in the client's format that names field and expectation", () => {
  test.each<[string, object, string, RegExp]>([
    ["an unknown field", { max_latency: 5 }, "routing.max_latency", /`max_latency_ms`/],
    ["a field of the wrong kind", { order: "openai" }, "routing.order", /list of at most 64 names/],
    ["a negative price", { max_price: { prompt: -1 } }, "routing.max_price.prompt", /at least 0/],
    ["an unknown part of `max_price`", { max_price: { promt: 1 } }, "routing.max_price.promt", /`prompt`/],
    ["an unknown order", { sort: "prize" }, "routing.sort", /`price`/],
    ["a wish of no milliseconds", { max_latency_ms: 0 }, "routing.max_latency_ms", /above 0/],
    ["a flag that is none", { allow_fallbacks: "no" }, "routing.allow_fallbacks", /true or false/],
    ["data that goes anywhere", { data: "anywhere" }, "routing.data", /`local-only`/],
    ["an unknown upstream", { only: ["opnai"] }, "routing.only", /`openai`/],
    ["an unknown one to leave out", { ignore: ["nobody"] }, "routing.ignore", /<upstream>\/<model>/],
    ["an unknown one to begin with", { order: ["nobody"] }, "routing.order", /<upstream>\/<model>/],
    ["`only` and `ignore` of the same", { only: ["openai"], ignore: ["openai"] }, "routing", /`routing.only`/],
    ["`order` of what `only` leaves out", { only: ["openai"], order: ["gemini"] }, "routing", /`routing.order`/],
    [
      "models to fall back to without fallback",
      { models: [openaiModel, localModel], allow_fallbacks: false },
      "routing",
      /allow_fallbacks/,
    ],
    ["local data and cloud only", { data: "local-only", strategy: "cloud_only" }, "routing", /must stay local/],
    ["no object", [] as object, "routing", /an object/],
  ])("%s", async (_, routing, param, expected) => {
    const error = await refusal(wishing(routing));
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error", param });
    expect(error.message).toMatch(expected);
  });

  test("headers too", async () => {
    for (const [header, value] of [
      ["x-router-max-latency-ms", "soon"],
      ["x-router-max-latency-ms", "-5"],
      ["x-router-max-cost-usd", ""],
    ] as const) {
      const response = await postChat(hybrid.url, say("Hi"), { [header]: value });
      expect(response.status).toBe(400);
      expect((await readError(response)).message.toLowerCase()).toContain(header);
    }
  });

  test("an unknown name among `models` is a 404 with near names", async () => {
    const error = await refusal(wishing({ models: ["gpt-4o-mnii"] }));
    expect(error).toMatchObject({ status: 404, param: "routing.models" });
    expect(error.message).toContain("`gpt-4o-mini`");
  });

  test("a broken field beside a preference for another wins over serving it", async () => {
    expect((await refusal(say("Hi", { provider: { ordr: ["openai"] } }))).param).toBe("provider.ordr");
  });
});

describe("a route whose every target is excluded names each exclusion", () => {
  test("by the client's own preferences: 400", async () => {
    const { status, message } = await refusal(wishing({ only: ["anthropic"] }, { model: "pair" }));
    expect(status).toBe(400);
    for (const target of [on.flash, on.mini]) expect(message).toContain(`${target}: client_preference`);
  });

  test("by mixed reasons: 503", async () => {
    const own = await startHybrid(simulators, {
      models: { pair: { targets: ["gemini-2.5-flash", localModel], fallback: [] } },
      upstreams: { vllm: { models: [{ id: localModel, contextWindow: 64 }] } },
    });
    const body = say("many words ".repeat(200), { model: "pair", routing: { ignore: ["gemini"] } });
    const { status, message } = await refusal(body, own);
    expect(status).toBe(503);
    expect(message).toContain(`${on.flash}: client_preference`);
    expect(message).toContain(`${on.small}: context_window`);
  });
});
