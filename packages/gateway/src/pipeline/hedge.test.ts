import { expect, test } from "bun:test";
import { gateway, hello, helloStream, outcomeOf, usualLimits } from "../../test/fixtures/memory-gateway.ts";
import {
  answer,
  completion,
  forever,
  frames,
  hang,
  type Script,
  stream,
} from "../../test/fixtures/scripted-transport.ts";

const hedge = { maxShare: 1, minDelayMs: 50, delayMs: 300 };
const limits = { ...usualLimits, hedge };
const said = (text: string): Script => stream(frames.role, frames.text(text), frames.finish, frames.usage, frames.done);

/** Answers after a promise that the test settles. */
function later(script: Script) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late: Script = async (...args) => {
    await promise;
    return script(...args);
  };
  return { late, release: resolve };
}

const textOf = (body: string): string => [...body.matchAll(/"content":"([^"]+)"/g)].map((match) => match[1]).join("");

for (const body of [hello, helloStream]) {
  const what = body === hello ? "whole answer" : "stream";

  test(`a late ${what} is raced by another target, which ends it; both are charged`, async () => {
    const cloud = body === hello ? completion("from cloud") : said("from cloud");
    const it = gateway({ local: [hang], cloud: [cloud] }, { limits });
    const pending = it.ask(body);
    await it.clock.advance(299);
    expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual(["local"]);
    await it.clock.advance(1);
    const reply = await pending;
    expect(reply.response.headers.get("x-router-target")).toBe("cloud/big");
    expect(await reply.response.text()).toContain("from cloud");
    const record = await outcomeOf(it, reply);
    expect(record.attempts.map(({ target, error }) => [target, error])).toEqual([
      ["local/small", "superseded"],
      ["cloud/big", undefined],
    ]);
    expect(record.routing?.hedge).toBe(1);
    expect(record.attempts[0]?.usage.inputTokens).toBeGreaterThan(0);
    expect(it.transport.sent[0]?.request.signal.aborted).toBe(true);
    expect(it.live.deployment(it.local)).toMatchObject({ inFlight: 0 });
    expect(it.live.deployment(it.local).breaker.state(it.clock.monotonicMs())).toBe("closed");
    expect(it.clock.waiting).toBe(0);
  });

  test(`a late ${what} may still win, and the other one ends`, async () => {
    const local = later(body === hello ? completion("from local") : said("from local"));
    const it = gateway({ local: [local.late], cloud: [hang] }, { limits });
    const pending = it.ask(body);
    await it.clock.advance(400);
    expect(it.transport.sent).toHaveLength(2);
    local.release();
    const reply = await pending;
    expect(await reply.response.text()).toContain("from local");
    const record = await outcomeOf(it, reply);
    // The one that answered is last, whoever began first.
    expect(record.attempts.map(({ target, error }) => [target, error])).toEqual([
      ["cloud/big", "superseded"],
      ["local/small", undefined],
    ]);
    expect(record.routing?.hedge).toBe(0);
    expect(it.transport.sent[1]?.request.signal.aborted).toBe(true);
    expect(it.clock.waiting).toBe(0);
  });

  test(`when one of two fails the other's ${what} is waited for`, async () => {
    const cloud = later(body === hello ? completion("from cloud") : said("from cloud"));
    const it = gateway({ local: [hang], cloud: [cloud.late] }, { limits });
    const pending = it.ask(body);
    await it.clock.advance(400);
    // The local one breaks its own limit.
    await it.clock.advance(body === hello ? 14_700 : 4_700);
    cloud.release();
    const reply = await pending;
    expect(await reply.response.text()).toContain("from cloud");
    await reply.settled;
    expect(it.held()).toBe(0);
    expect(it.clock.waiting).toBe(0);
  });
}

test("when both fail the client gets one honest error and nothing stays held", async () => {
  const boom = answer(500, { error: { message: "boom" } });
  const local = later(boom);
  const cloud = later(boom);
  const it = gateway({ local: [local.late], cloud: [cloud.late] }, { limits: { ...limits, retriesPerTarget: 0 } });
  const pending = it.ask(hello);
  await it.clock.advance(400);
  local.release();
  cloud.release();
  const reply = await pending;
  expect(reply.response.status).toBe(502);
  expect((await outcomeOf(it, reply)).attempts).toHaveLength(2);
  expect(it.clock.waiting).toBe(0);
});

test("a client that leaves ends both", async () => {
  const it = gateway({ local: [hang], cloud: [hang] }, { limits });
  const pending = it.ask(hello);
  await it.clock.advance(400);
  const { GatewayError } = await import("../core/errors.ts");
  it.exchange.client.hangUp(new GatewayError("client_gone", "The client closed the connection."));
  const reply = await pending;
  expect(it.transport.sent.map(({ request }) => request.signal.aborted)).toEqual([true, true]);
  expect((await outcomeOf(it, reply)).outcome).toBe("client_gone");
  expect(it.clock.waiting).toBe(0);
});

test("a target that answers in time is not raced", async () => {
  const it = gateway({ local: [said("quick")] }, { limits });
  const reply = await it.ask(helloStream);
  await it.clock.advance(1_000);
  expect(textOf(await reply.response.text())).toBe("quick");
  expect(it.transport.sent).toHaveLength(1);
});

test("without a fixed delay nobody is late until twenty answers were seen, then after their 95th percentile", async () => {
  const it = gateway(
    { local: [hang], cloud: [said("from cloud")] },
    { limits: { ...limits, hedge: { maxShare: 1, minDelayMs: 10 } } },
  );
  const { latency } = it.live.deployment(it.local);
  for (let i = 1; i <= 100; i++) latency.noteFirstToken(i * 10);
  const pending = it.ask(helloStream);
  await it.clock.advance(949);
  expect(it.transport.sent).toHaveLength(1);
  await it.clock.advance(1);
  expect(it.transport.sent).toHaveLength(2);
  expect(await (await pending).response.text()).toContain("from cloud");
});

test("requests that must stay local, and those that allow no fallback, are never raced by cloud", async () => {
  for (const [body, headers] of [
    [hello, { "x-router-data": "local-only" }],
    [{ ...hello, routing: { allow_fallbacks: false } }, {}],
  ] as const) {
    const it = gateway({ local: [hang] }, { limits });
    const pending = it.ask(body, headers);
    await it.clock.advance(20_000);
    expect(new Set(it.transport.sent.map(({ upstream }) => upstream))).toEqual(new Set(["local"]));
    expect((await pending).response.status).toBe(504);
  }
});

test("only a share of the requests is raced", async () => {
  const it = gateway(
    { local: [hang], cloud: [completion("from cloud")] },
    { limits: { ...limits, hedge: { ...hedge, maxShare: 0.5 } } },
  );
  const first = it.ask(hello);
  await it.clock.advance(1_000);
  expect(it.transport.sent).toHaveLength(1);
  const second = it.again(hello);
  await it.clock.advance(1_000);
  expect(it.transport.sent).toHaveLength(3);
  expect((await second).response.status).toBe(200);
  await it.clock.advance(20_000);
  await first;
});

test("an answer that only starts is not the winner until its first content", async () => {
  const slow = later(said("x"));
  const it = gateway({ local: [stream(frames.role, forever)], cloud: [slow.late] }, { limits });
  const pending = it.ask(helloStream);
  await it.clock.advance(400);
  slow.release();
  expect(textOf(await (await pending).response.text())).toBe("x");
});

test("a key that is refused to a hedge is told to the operator, whoever answers", async () => {
  const local = later(completion("from local"));
  const it = gateway({ local: [local.late], cloud: [answer(401, { error: { message: "bad key" } })] }, { limits });
  const pending = it.ask(hello);
  await it.clock.advance(400);
  local.release();
  expect((await pending).response.status).toBe(200);
  expect(it.alerts.map(({ code }) => code)).toEqual(["upstream_auth"]);
});
