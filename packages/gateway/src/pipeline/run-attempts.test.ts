import { expect, test } from "bun:test";
import { gateway, hello, helloStream, outcomeOf, usualLimits } from "../../test/fixtures/memory-gateway.ts";
import {
  answer,
  completion,
  frames,
  hang,
  refuse,
  type Script,
  stream,
} from "../../test/fixtures/scripted-transport.ts";
import type { RouteRules } from "../core/gateway-model.ts";

const noRules: RouteRules = {
  timeouts: {},
  requestMs: undefined,
  hedge: undefined,
  onRefusal: undefined,
  afterCut: undefined,
};

/** A gateway whose name `local` has rules of its own. */
function ruled(
  scripts: Parameters<typeof gateway>[0],
  rules: Partial<RouteRules>,
  more: Parameters<typeof gateway>[1] = {},
) {
  const it = gateway(scripts, more);
  const names = it.catalogue.names as Map<string, unknown>;
  names.set("local", { ...it.catalogue.names.get("local"), rules: { ...noRules, ...rules } });
  // Seen loaded: no cold start is allowed for.
  it.live.markServed(it.local, it.clock.monotonicMs());
  return it;
}

test("a model that may have to be loaded first gets its cold-start allowance in place of the usual limit", async () => {
  const it = gateway({ local: [hang] }, {}, undefined, {
    local: {
      timeouts: {
        connectMs: 1_000,
        firstContentMs: 1_000,
        coldStartMs: 9_000,
        wholeMs: 1_000,
        idleMs: 60_000,
        totalMs: 60_000,
      },
    },
  });
  const pending = it.ask(hello);
  await it.clock.advance(8_999);
  expect(it.transport.sent).toHaveLength(1);
  await it.clock.advance(1_001);
  expect((await pending).response.status).toBe(200);
});

const filtered: Script = answer(200, {
  id: "1",
  object: "chat.completion",
  created: 1,
  model: "served",
  choices: [{ index: 0, message: { role: "assistant", content: "" }, finish_reason: "content_filter" }],
  usage: { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 },
});
const filteredStream = stream(
  frames.role,
  `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"s","choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}\n\n`,
  frames.usage,
  frames.done,
);
const refusedError = answer(400, {
  error: { message: "flagged", type: "invalid_request_error", code: "content_filter" },
});

for (const [what, body, script] of [
  ["an error", hello, refusedError],
  ["a whole answer that is nothing else", hello, filtered],
  ["a stream that is nothing else", helloStream, filteredStream],
] as const) {
  test(`refused content as ${what} goes to the next target where the route says so`, async () => {
    const cloud =
      body === hello
        ? completion("from cloud")
        : stream(frames.role, frames.text("from cloud"), frames.finish, frames.done);
    const it = ruled({ local: [script], cloud: [cloud] }, { onRefusal: "fallback" });
    const reply = await it.ask(body);
    expect(reply.response.headers.get("x-router-target")).toBe("cloud/big");
    expect(await reply.response.text()).toContain("from cloud");
    const record = await outcomeOf(it, reply);
    expect(record.attempts.map(({ error }) => error)).toEqual(["content_policy", undefined]);
    expect(it.live.deployment(it.local).breaker.state(it.clock.monotonicMs())).toBe("closed");
  });

  test(`refused content as ${what} is the answer otherwise`, async () => {
    const it = ruled({ local: [script] }, {});
    const reply = await it.ask(body);
    expect(await reply.response.text()).toMatch(/content_filter|content_policy/);
    expect(it.transport.sent).toHaveLength(1);
  });
}

test("a route's limits hold in place of the upstream's", async () => {
  const it = ruled(
    { local: [hang] },
    { timeouts: { wholeMs: 1_000 } },
    { limits: { ...usualLimits, retriesPerTarget: 0 } },
  );
  const pending = it.ask(hello);
  await it.clock.advance(999);
  expect(it.transport.sent).toHaveLength(1);
  await it.clock.advance(1);
  expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual(["local", "cloud"]);
  expect((await pending).response.status).toBe(200);
});

test("a route's limit on the whole request ends its tries and its waits, and blames no target", async () => {
  const it = ruled({ local: [hang], cloud: [hang] }, { requestMs: 6_000, timeouts: { wholeMs: 4_000 } });
  const pending = it.ask(hello);
  await it.clock.advance(6_000);
  const reply = await pending;
  expect(reply.response.status).toBe(504);
  expect((await reply.response.json()).error.code).toBe("deadline_exceeded");
  expect(reply.response.headers.get("x-should-retry")).toBe("false");
  const record = await outcomeOf(it, reply);
  expect(record.attempts.map(({ error }) => error)).toEqual(["first_content_timeout", "deadline_exceeded"]);
  expect(it.live.deployment(it.cloud).latency.errorRate(it.clock.monotonicMs())).toBe(0);
  expect(it.clock.waiting).toBe(0);
});

test("retries at one upstream end with its budget, and other targets are asked all the same", async () => {
  const boom = answer(500, { error: { message: "boom" } });
  const limits = { ...usualLimits, retryBudget: { share: 0, minPerSecond: 0 } };
  const it = gateway({ local: [boom] }, { limits });
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(200);
  expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual(["local", "cloud"]);
});

test("a refused upstream key alerts the operator also when another target saves the request", async () => {
  const it = gateway({ local: [answer(401, { error: { message: "bad key" } })] });
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(200);
  expect(it.alerts.map(({ code }) => code)).toEqual(["upstream_auth"]);
});

test("the request that opens a breaker is itself saved", async () => {
  const limits = { ...usualLimits, retriesPerTarget: 0 };
  const it = gateway({ local: [answer(500, { error: { message: "boom" } })] }, { limits });
  const { breaker } = it.live.deployment(it.local);
  for (let i = 0; i < 4; i++) breaker.begin(0)("failure", it.clock.monotonicMs());
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(200);
  expect(breaker.state(it.clock.monotonicMs())).toBe("open");
});

test("with every breaker open the targets are tried all the same: a guess must not refuse work", async () => {
  const it = gateway({ local: [completion("here")] });
  for (const target of [it.local, it.cloud])
    for (let i = 0; i < 5; i++) it.live.deployment(target).breaker.begin(0)("failure", it.clock.monotonicMs());
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(200);
  expect(await reply.response.text()).toContain("here");
});

test("nobody is there at all: one honest error that tells SDKs not to multiply the tries", async () => {
  const it = gateway({ local: [refuse], cloud: [refuse] });
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(503);
  expect(reply.response.headers.get("x-should-retry")).toBe("false");
  await outcomeOf(it, reply);
});
