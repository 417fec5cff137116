import { expect, test } from "bun:test";
import { gateway, hello, outcomeOf } from "../../test/fixtures/memory-gateway.ts";
import { completion } from "../../test/fixtures/scripted-transport.ts";
import { GatewayError } from "../core/errors.ts";
import type { Wake } from "../core/wake.ts";
import { Waker } from "../routing/waker.ts";

/** A gateway whose local model is cold and can be woken; `up` is what a probe finds. */
function rig(patience: Partial<Wake>) {
  const it = gateway({ local: [completion("from local")] });
  const server = { up: false, calls: 0 };
  const wake = {
    type: "http",
    patienceMs: 0,
    patienceAloneMs: 120_000,
    timeoutMs: 60_000,
    retryMs: 10_000,
    keepWarm: [],
    covers: "server",
    startsServer: true,
    sleeps: false,
    ...patience,
  };
  Object.assign(it.local.upstream, { wake });
  const waker = new Waker({
    live: it.live,
    clock: it.clock,
    fraction: () => 0.5,
    call: async () => void server.calls++,
    async probe({ name }) {
      if (server.up) it.live.markReady(name, it.clock.monotonicMs());
    },
    alert: () => {},
  });
  Object.assign(it.deps, { waker });
  it.live.markCold("local", 1);
  waker.follow([it.local]);
  return { ...it, server, waker };
}

const reasonOf = (response: Response) => response.headers.get("x-router-reason");

test("without patience a request wakes the model and is served elsewhere, without waiting for anything", async () => {
  const it = rig({});
  const reply = await it.ask(hello);
  expect([reply.response.status, reasonOf(reply.response)]).toEqual([200, "local_cold"]);
  expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual(["cloud"]);
  expect([it.server.calls, it.live.demand(it.local, it.clock.monotonicMs())]).toEqual([1, 1]);
  it.waker.stop();
});

test("a route's limit on the whole request bounds the wait", async () => {
  const it = rig({ patienceMs: 60_000 });
  const names = it.catalogue.names as Map<string, unknown>;
  const rules = { timeouts: {}, requestMs: 2_000, hedge: undefined, onRefusal: undefined, afterCut: undefined };
  names.set("local", { ...it.catalogue.names.get("local"), rules });
  const asked = it.ask(hello);
  await it.clock.advance(1_999);
  expect(it.transport.sent).toHaveLength(0);
  await it.clock.advance(1);
  expect((await asked).response.status).toBe(200);
  expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual(["cloud"]);
  it.waker.stop();
});

test("with patience it is planned again once the model is there, and its wait is not the gateway's own time", async () => {
  const it = rig({ patienceMs: 10_000 });
  const asked = it.ask(hello);
  await it.clock.advance(3_000);
  it.server.up = true;
  await it.clock.advance(1_000);
  const reply = await asked;
  expect([reasonOf(reply.response), reply.response.headers.get("x-router-fallback")]).toEqual(["alias", null]);
  expect(Number(reply.response.headers.get("x-router-overhead-ms"))).toBeLessThan(100);
  const record = await outcomeOf(it, reply);
  expect(record.served?.upstream).toBe("local");
  it.waker.stop();
});

test("alone and without patience it is refused at once, and the model is woken for the next one", async () => {
  const it = rig({ patienceAloneMs: 0 });
  const reply = await it.ask({ ...hello, model: "local/small", routing: { allow_fallbacks: false } });
  expect(reply.response.status).toBe(503);
  expect(await reply.response.json()).toMatchObject({ error: { code: "model_loading" } });
  expect(reply.response.headers.get("retry-after")).toBe("10");
  expect([it.server.calls, it.transport.sent.length]).toEqual([1, 0]);
  await outcomeOf(it, reply);
  it.waker.stop();
});

test("beside a target that only looked unwell it waits as if alone, and asks that one in the end", async () => {
  const it = rig({ patienceAloneMs: 5_000 });
  it.live.markUnreachable("cloud");
  const asked = it.ask(hello);
  await it.clock.advance(4_000);
  expect(it.transport.sent).toEqual([]);
  await it.clock.advance(2_000);
  const reply = await asked;
  expect(reply.response.status).toBe(200);
  expect(it.transport.sent.length).toBeGreaterThan(0);
  it.waker.stop();
});

test("a client that leaves while it waits is settled as gone, without an attempt", async () => {
  const it = rig({ patienceMs: 10_000 });
  const asked = it.ask(hello);
  await it.clock.advance(1_000);
  it.exchange.client.hangUp(new GatewayError("client_gone", "The client closed the connection."));
  const reply = await asked;
  const record = await outcomeOf(it, reply);
  expect([record.outcome, record.attempts.length, it.server.calls]).toEqual(["client_gone", 0, 1]);
  it.waker.stop();
});

for (const isUp of [false, true]) {
  test(`an experiment's arm asks a model that ${isUp ? "came in time" : "did not come in time not at all"}`, async () => {
    const it = rig({ patienceMs: 3_000 });
    const arms = [{ name: "one", weight: 1, targets: [it.local, it.cloud], strategy: undefined }];
    const split = { name: "split", when: undefined, models: [], sticky: "request", arms };
    Object.assign(it.catalogue, { experiments: [split] });
    const asked = it.ask({ ...hello, model: "auto" });
    await it.clock.advance(1_000);
    it.server.up = isUp;
    await it.clock.advance(3_000);
    expect((await asked).response.status).toBe(200);
    expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual([isUp ? "local" : "cloud"]);
    it.waker.stop();
  });
}
