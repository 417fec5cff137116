import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChatBody, postChat, readError, say } from "../setup/clients.ts";
import {
  cloudOf,
  type Hybrid,
  type HybridOptions,
  type HybridSimulators,
  localOf,
  on,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { makeKey } from "../setup/money.ts";
import { localModel, openaiModel } from "../setup/rig.ts";
import { untilUpstream } from "../setup/upstream-states.ts";

/** How a request comes to be bound: a fixed part of the request, and of the config. */
interface Binding {
  readonly headers?: Record<string, string>;
  readonly more?: object;
}

let simulators: HybridSimulators;
let hybrid: Hybrid;
const bindings = new Map<string, Binding>();

const config: HybridOptions = {
  models: {
    private: { targets: ["@local", openaiModel], data: "local-only" },
    "private-auto": { strategy: "cloud_first", data: "local-only" },
  },
  routing: {
    residency: [
      { name: "patients", when: { "key.team": "clinic" }, placement: "local" },
      { name: "one-key", when: "key.name == 'sealed'", placement: "local" },
      { name: "marked", when: { "headers.x-topic": "payroll" }, placement: "local" },
      { name: "europe", when: { "headers.x-topic": "europe" }, regions: ["eu-central"] },
    ],
  },
  upstreams: { vllm: { region: "eu-central" }, openai: { region: "us-east" } },
};

beforeAll(async () => {
  simulators = await startHybridSimulators();
  hybrid = await startHybrid(simulators, config);
  const { call } = hybrid;
  await call("POST", "/teams", { name: "closed", data: "local-only" });
  await call("POST", "/teams", { name: "clinic" });
  const { headers } = await makeKey(call, "free");
  const keyed = async (name: string, more: object) => (await makeKey(call, name, { ...more })).headers;
  bindings.set("the header", { headers: { ...headers, "x-router-data": "local-only" } });
  bindings.set("the body", { headers, more: { routing: { data: "local-only" } } });
  bindings.set("the key", { headers: await keyed("bound", { data: "local-only" }) });
  bindings.set("the key's team", { headers: await keyed("member", { team: "closed" }) });
  bindings.set("a rule about the team", { headers: await keyed("doctor", { team: "clinic" }) });
  bindings.set("a rule about the key", { headers: await keyed("sealed", {}) });
  bindings.set("a rule about a header", { headers: { ...headers, "x-topic": "payroll" } });
  bindings.set("`data_collection: deny`", { headers, more: { provider: { data_collection: "deny" } } });
  bindings.set("the route", { headers, more: { model: "private" } });
});
beforeEach(() => resetHybrid(simulators));

const ways = [
  "the header",
  "the body",
  "the key",
  "the key's team",
  "a rule about the team",
  "a rule about the key",
  "a rule about a header",
  "`data_collection: deny`",
  "the route",
];

function bound(way: string, body: ChatBody = say("Hi")): [ChatBody, Record<string, string>] {
  const { headers = {}, more = {} } = bindings.get(way) ?? {};
  const routing = { ...(body["routing"] as object), ...(more as { routing?: object }).routing };
  return [{ ...body, ...more, ...(Object.keys(routing).length > 0 && { routing }) }, headers];
}

const cloudHits = () => reached(cloudOf(simulators));
const failLocal = async (spec: string) => {
  await Promise.all(Object.values(localOf(simulators)).map((simulator) => simulator.setFault({ spec })));
};

describe.each(ways)("bound by %s", (way) => {
  test.each<[string, ChatBody]>([
    ["a plain request", say("Hi")],
    ["a long output", say("Hi", { max_tokens: 4_000 })],
    ["a long prompt", say("some words ".repeat(2_000))],
    ["a strategy for cloud first", say("Hi", { routing: { strategy: "cloud_first" } })],
    ["the best model wanted", say("Hi", { routing: { strategy: "quality" } })],
    ["an order that begins with cloud", say("Hi", { routing: { order: ["anthropic", "openai"] } })],
    ["cloud models to fall back to", say("Hi", { routing: { models: ["claude-opus-4-8", openaiModel] } })],
    ["a wish for an answer at once", say("Hi", { routing: { max_latency_ms: 1 } })],
    ["a stream", say("Hi", { stream: true })],
  ])("%s stays", async (_, body) => {
    const [sent, headers] = bound(way, body);
    const { status, backend, text } = await hybrid.ask(sent, headers);
    expect({ status, backend }, text).toEqual({ status: 200, backend: "local" });
    expect(await cloudHits()).toEqual([]);
  });

  test.each(["status=500", "status=503", "status=429", "cut=0", "error-first"])(
    "fails closed when local answers with %s",
    async (spec) => {
      await failLocal(spec);
      for (const stream of [false, true]) {
        const [sent, headers] = bound(way, say("Hi", { stream, routing: { models: ["claude-opus-4-8"] } }));
        const { status, text } = await hybrid.ask(sent, headers);
        expect(status, text).toBeGreaterThanOrEqual(429);
        expect(JSON.parse(text).error.message).toBeTruthy();
      }
      expect(await cloudHits()).toEqual([]);
    },
  );

  test("the decision says `residency` of what was left out", async () => {
    const [sent, headers] = bound(way);
    const { id } = await hybrid.ask(sent, headers);
    const response = await fetch(`${hybrid.url}/v1/decisions/${id}`, { headers });
    const { exclusions, confined_to } = (await response.json()) as { exclusions: object[]; confined_to: string };
    expect(confined_to).toBe("local");
    for (const target of [on.opus, on.sonnet, on.haiku, on.mini, on.flash, on.pro]) {
      expect(exclusions).toContainEqual({ target, reason: "residency" });
    }
  });
});

describe.each(ways.filter((way) => way !== "the route"))("a cloud model by name, bound by %s", (way) => {
  test.each(["claude-opus-4-8", "cloud", on.mini])("%s is a 403 that says what binds it", async (model) => {
    const [sent, headers] = bound(way, say("Hi", { model }));
    const response = await postChat(hybrid.url, sent, headers);
    expect(response.status).toBe(403);
    const { code, message } = await readError(response);
    expect(code).toBe("policy_forbids");
    expect(message).toMatch(/local/);
    expect(await reached(simulators)).toEqual([]);
  });
});

test("a route of its own strategy stays too, and says why", async () => {
  // A gateway that has seen no 429: its targets are not left alone.
  const own = await startHybrid(simulators, config);
  const { status, backend, reason } = await own.ask(say("Hi", { model: "private-auto" }));
  expect({ status, backend, reason }).toEqual({ status: 200, backend: "local", reason: "residency" });
  expect(await cloudHits()).toEqual([]);
});

test("regions leave out every upstream that is in none of them", async () => {
  const headers = { ...bindings.get("a rule about a header")?.headers, "x-topic": "europe" };
  await failLocal("status=500");
  const { status } = await hybrid.ask(say("Hi"), headers);
  expect(status).toBe(502);
  expect(new Set(await reached(simulators))).toEqual(new Set([on.small]));
});

test("rules that contradict each other refuse everything", async () => {
  const routing = {
    residency: [
      { name: "stay", when: { "headers.x-topic": "both" }, placement: "local" as const },
      { name: "leave", when: { "headers.x-topic": "both" }, placement: "cloud" as const },
    ],
  };
  const own = await startHybrid(simulators, { routing });
  const response = await postChat(own.url, say("Hi"), { "x-topic": "both" });
  expect(response.status).toBe(403);
  expect((await readError(response)).message).toMatch(/stay, leave/);
  expect(await reached(simulators)).toEqual([]);
  expect((await own.ask(say("Hi"), { "x-topic": "one" })).status).toBe(200);
});

describe("while local is not there", () => {
  const localOnly = { "x-router-data": "local-only" };

  test("cold or dead, before and after the first probe", async () => {
    const quick = { health: { intervalMs: 100 } };
    const never = { health: { intervalMs: 3_600_000 } };
    const dead = (health: object) => {
      const upstream = { ...health, baseUrl: "http://127.0.0.1:9/v1" };
      return startHybrid(simulators, { upstreams: { vllm: upstream, coder: upstream } });
    };
    const [probed, unprobed] = await Promise.all([dead(quick), dead(never)]);
    await untilUpstream(probed.url, "vllm", ({ healthy }) => !healthy);
    for (const own of [probed, unprobed]) {
      for (const body of [say("Hi"), say("Hi", { stream: true }), say("Hi", { model: "local" })]) {
        const { status, text } = await own.ask(body, localOnly);
        expect([502, 503, 504], text).toContain(status);
        expect(JSON.parse(text).error.code).toBeTruthy();
      }
    }
    expect(await reached(simulators)).toEqual([]);
  });

  test("because none is configured", async () => {
    const own = await startHybrid(simulators, { only: ["anthropic", "openai"] });
    const { status, text } = await own.ask(say("Hi"), localOnly);
    expect(status, text).toBe(403);
    expect(await reached(simulators)).toEqual([]);
  });
});

describe("what else moves requests to cloud", () => {
  const localOnly = { "x-router-data": "local-only" };

  test("share control does not", async () => {
    const strategies = { auto: { control: { cloudShare: 1 } }, cloud_first: { control: { cloudShare: 1 } } };
    const own = await startHybrid(simulators, { strategies });
    for (let i = 0; i < 10; i++) expect((await own.ask(say(`Hi ${i}`), localOnly)).backend).toBe("local");
    expect(await cloudHits()).toEqual([]);
    expect(await own.ask(say("Hi"))).toMatchObject({ backend: "cloud", reason: "share_control" });
  });

  test("spill does not", async () => {
    const own = await startHybrid(simulators, { routing: { spill: { maxTtftMs: 50 } } });
    await Promise.all(Object.values(localOf(simulators)).map((one) => one.setState({ firstTokenMs: 200 })));
    for (let i = 0; i < 4; i++) {
      await own.ask(say("Hi", { model: localModel, stream: true, routing: { allow_fallbacks: false } }));
    }
    expect((await own.ask(say("Hi", { stream: true, model: localModel }))).reason).toBe("spill");
    await simulators.anthropic.clearHits();
    await simulators.gemini.clearHits();
    await simulators.openai.clearHits();
    for (const routing of [{}, { max_latency_ms: 10 }]) {
      const { backend } = await own.ask(say("Hi", { stream: true, model: localModel, routing }), localOnly);
      expect(backend).toBe("local");
    }
    expect(await cloudHits()).toEqual([]);
  });

  test("the switch of a used-up budget goes to self-hosted models only", async () => {
    const budgets = { cloud: { scope: { placement: "cloud" as const }, limitUsd: 0 } };
    const own = await startHybrid(simulators, { budgets });
    expect(await own.ask(say("Hi", { routing: { strategy: "cloud_first" } }))).toMatchObject({
      status: 200,
      backend: "local",
      reason: "budget_exhausted",
    });
    await failLocal("status=500");
    expect((await own.ask(say("Hi", { routing: { strategy: "cloud_first" } }))).status).toBeGreaterThanOrEqual(402);
    expect(await cloudHits()).toEqual([]);
  });

  test("an experiment's arm does not: who has to stay takes no part", async () => {
    const arms = [
      { name: "a", targets: ["claude-opus-4-8"] },
      { name: "b", strategy: "cloud_only" },
    ];
    const experiments = [{ name: "try", sticky: "request" as const, arms }];
    const own = await startHybrid(simulators, { routing: { experiments } });
    for (let i = 0; i < 8; i++) {
      for (const headers of [localOnly, { "x-router-strategy": "self_hosted_only" }]) {
        const { status, backend, reason, text } = await own.ask(say(`Hi ${i}`), headers);
        expect({ status, backend }, text).toEqual({ status: 200, backend: "local" });
        expect(reason).not.toBe("experiment");
      }
    }
    expect(await cloudHits()).toEqual([]);
    expect(await own.ask(say("Hi"))).toMatchObject({ backend: "cloud", reason: "experiment" });
  });

  test("a route that stays keeps its promise among `models` too", async () => {
    await failLocal("status=500");
    const only = { only: ["@local", "openai"] };
    const body = say("Hi", { model: on.small, routing: { ...only, models: ["private"] } });
    const own = await startHybrid(simulators, { ...config, routing: { fallback: ["claude-opus-4-8"] } });
    expect((await own.ask(body)).status).toBe(502);
    expect(await cloudHits()).toEqual([]);
  });
});
