import { expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock, settle } from "../../test/fixtures/fake-clock.ts";
import { liveState } from "../../test/fixtures/target-views.ts";
import type { GatewayError } from "../core/errors.ts";
import { GatewayError as Failure } from "../core/errors.ts";
import type { Wake } from "../core/wake.ts";
import { Hangup } from "../lib/hangup.ts";
import { Waker, type WakerDeps } from "./waker.ts";

const usual = {
  type: "http",
  url: "http://127.0.0.1:9/up",
  method: "POST",
  headers: {},
  key: undefined,
  patienceMs: 0,
  patienceAloneMs: 120_000,
  timeoutMs: 60_000,
  retryMs: 10_000,
  keepWarm: [],
  covers: "server",
  startsServer: false,
  sleeps: true,
} as const satisfies Wake;

/** A waker over one cold server with two models, and what it does. `up` is what probes find. */
function rig(more: Partial<Wake> = {}, deps: Partial<WakerDeps> = {}) {
  const wake = { ...usual, ...more } as Wake;
  const gpu = upstream("gpu", "local", { wake });
  const [a, b] = [deployment(gpu, "a"), deployment(gpu, "b")];
  const clock = new FakeClock();
  const live = liveState();
  const calls: string[] = [];
  const alerts: GatewayError[] = [];
  const signals: AbortSignal[] = [];
  const server = { up: false, fails: undefined as Failure | undefined, probes: 0 };
  const waker = new Waker({
    live,
    clock,
    fraction: () => 0.5,
    async call(action, target, _wake, signal) {
      calls.push(`${action} ${target.id}`);
      signals.push(signal);
      if (server.fails !== undefined) throw server.fails;
      if (action === "sleep") server.up = false;
    },
    async probe({ name }) {
      server.probes++;
      if (server.up) live.markReady(name, clock.monotonicMs());
      else live.markCold(name, clock.monotonicMs());
    },
    alert: (error) => alerts.push(error),
    ...deps,
  });
  live.markCold("gpu", clock.monotonicMs());
  waker.follow([a, b]);
  const readiness = () => live.readiness(a, clock.monotonicMs());
  return { waker, live, clock, calls, alerts, signals, server, a, b, readiness };
}

const nobody = () => new Hangup<Failure>();

test("one call is made however many ask, for whichever of the server's models, and all are ready together", async () => {
  const it = rig();
  const waits = Array.from({ length: 100 }, (_, i) => it.waker.ready(i % 2 ? it.a : it.b, 120_000, nobody()));
  it.waker.want(it.a);
  await it.clock.advance(5_000);
  expect([it.calls, it.readiness()]).toEqual([["wake gpu/a"], "warming"]);
  expect(it.live.demand(it.a, it.clock.monotonicMs()) + it.live.demand(it.b, it.clock.monotonicMs())).toBe(100);
  it.server.up = true;
  await it.clock.advance(700);
  expect(new Set(await Promise.all(waits))).toEqual(new Set(["ready"]));
  expect([it.calls.length, it.readiness(), it.live.demand(it.a, it.clock.monotonicMs())]).toEqual([1, "ready", 0]);
  expect(it.live.readinessState(it.a).coldStartMs).toBeGreaterThanOrEqual(5_000);
  expect(it.live.readinessState(it.a).coldStartMs).toBeLessThan(5_700);
});

test("a model that is being woken is probed about twice a second", async () => {
  const it = rig();
  it.waker.want(it.a);
  await it.clock.advance(10_000);
  expect(it.server.probes).toBeGreaterThan(18);
  expect(it.server.probes).toBeLessThan(23);
});

test("who hangs up stops waiting at once and ends nobody else's wait, nor the wake-up", async () => {
  const it = rig();
  const leaving = nobody();
  const gone = it.waker.ready(it.a, 120_000, leaving);
  const stays = it.waker.ready(it.a, 120_000, nobody());
  await it.clock.advance(1_000);
  leaving.hangUp(new Failure("client_gone", "gone"));
  expect(await gone.catch(({ code }) => code)).toBe("client_gone");
  expect([it.readiness(), it.signals[0]?.aborted]).toEqual(["warming", false]);
  it.server.up = true;
  await it.clock.advance(1_000);
  expect(await stays).toBe("ready");
});

test("a wait ends with its patience while the wake-up goes on", async () => {
  const it = rig();
  const wait = it.waker.ready(it.a, 2_000, nobody());
  await it.clock.advance(2_000);
  expect([await wait, it.readiness()]).toEqual(["late", "warming"]);
});

test("only so many wait; more are told so at once", async () => {
  const it = rig();
  const waits = Array.from({ length: 1_000 }, () => it.waker.ready(it.a, 120_000, nobody()));
  expect(await it.waker.ready(it.a, 120_000, nobody())).toBe("late");
  it.waker.stop();
  expect(new Set(await Promise.all(waits))).toEqual(new Set(["failed"]));
});

test("a wake-up that leads nowhere has failed: one alert, and pauses that double before the next", async () => {
  const it = rig({ timeoutMs: 5_000 });
  const wait = it.waker.ready(it.a, 120_000, nobody());
  await it.clock.advance(5_600);
  expect([await wait, it.readiness(), it.alerts.length, it.signals[0]?.aborted]).toEqual(["failed", "failed", 1, true]);
  expect(it.waker.retryAfterMs(it.a)).toBeGreaterThan(9_000);
  for (let i = 0; i < 50; i++) expect(await it.waker.ready(it.a, 120_000, nobody())).toBe("failed");
  expect([it.calls.length, it.alerts.length]).toEqual([1, 1]);
  const begins: number[] = [];
  for (let second = 0; second < 200; second++) {
    const before = it.calls.length;
    it.waker.want(it.a);
    await it.clock.advance(1_000);
    if (it.calls.length > before) begins.push(second);
  }
  // 10, 20, 40 and 80 seconds of pause after about five of trying.
  const gaps = begins.slice(1).map((second, i) => Math.round((second - begins[i]!) / 5) * 5);
  expect(gaps).toEqual([25, 45, 85]);
});

test("while somebody wanted it within the last minute, a failed wake-up is followed by another", async () => {
  const it = rig({ timeoutMs: 5_000 });
  it.waker.want(it.a);
  await it.clock.advance(60_000);
  expect(it.calls).toHaveLength(1);
  it.live.readinessState(it.b).demand.passedOver(it.clock.monotonicMs());
  await it.clock.advance(59_000);
  expect(it.calls.length).toBeGreaterThan(1);
  await it.clock.advance(60_000);
  const { length } = it.calls;
  await it.clock.advance(600_000);
  expect(it.calls).toHaveLength(length);
});

test("a call that fails ends the wake-up at once, and what comes back by itself is ready all the same", async () => {
  const it = rig();
  it.server.fails = new Failure("upstream_error", "no");
  const wait = it.waker.ready(it.a, 120_000, nobody());
  await settle();
  await it.clock.advance(600);
  expect([await wait, it.readiness(), it.alerts.map(({ message }) => message)]).toEqual(["failed", "failed", ["no"]]);
  it.live.markReady("gpu", it.clock.monotonicMs());
  await it.clock.advance(1_000);
  it.live.markCold("gpu", it.clock.monotonicMs());
  expect(it.readiness()).toBe("cold");
});

test("of several gateways only one calls; the others watch, and a store that fails lets them call", async () => {
  const keys: string[] = [];
  const lost = rig({}, { singleFlight: async (key) => void keys.push(key) as unknown as boolean });
  const wait = lost.waker.ready(lost.a, 120_000, nobody());
  await lost.clock.advance(3_000);
  expect([lost.calls, keys]).toEqual([[], ["wake:gpu"]]);
  lost.server.up = true;
  await lost.clock.advance(700);
  expect(await wait).toBe("ready");
  const alone = rig({}, { singleFlight: () => Promise.reject(new Error("gone")) });
  alone.waker.want(alone.a);
  await alone.clock.advance(100);
  expect(alone.calls).toEqual(["wake gpu/a"]);
});

test("in its window a cold model is woken without anybody asking, and stays awake", async () => {
  // The clock begins at 00:16:40 UTC.
  const keepWarm = [{ days: ["thu" as const], from: "00:20", to: "00:40", timeZone: "UTC" }];
  const it = rig({ keepWarm, sleepAfterMs: 60_000 });
  await it.clock.advance(190_000);
  expect(it.calls).toEqual([]);
  await it.clock.advance(15_000);
  expect(it.calls).toEqual(["wake gpu/a"]);
  it.server.up = true;
  await it.clock.advance(1_180_000);
  expect([it.calls.length, it.readiness()]).toEqual([1, "ready"]);
  await it.clock.advance(20_000);
  expect([it.calls, it.readiness()]).toEqual([["wake gpu/a", "sleep gpu/a"], "cold"]);
});

test("an idle model is put to sleep once its requests are through, and takes no new ones meanwhile", async () => {
  const it = rig({ sleepAfterMs: 10_000 });
  it.server.up = true;
  it.live.markReady("gpu", it.clock.monotonicMs());
  const work = { inputTokens: 1, conversationHash: 0, streams: false };
  const running = it.live.begin(it.b, work, it.clock.monotonicMs());
  await it.clock.advance(60_000);
  expect([it.calls, it.readiness()]).toEqual([[], "ready"]);
  running.end("success", 1, it.clock.monotonicMs());
  it.live.markServed(it.b, it.clock.monotonicMs());
  await it.clock.advance(9_000);
  expect(it.calls).toEqual([]);
  await it.clock.advance(3_000);
  expect([it.calls, it.readiness()]).toEqual([["sleep gpu/a"], "cold"]);
});

test("a hook that is only let go of is let go of once, and held again by the next wake-up", async () => {
  const it = rig({ sleeps: false, sleepAfterMs: 10_000 });
  it.waker.want(it.a);
  it.server.up = true;
  await it.clock.advance(60_000);
  expect([it.calls, it.readiness()]).toEqual([["wake gpu/a", "sleep gpu/a"], "ready"]);
});

test("what an operator drained is neither woken nor put to sleep, and a wake-up that runs then ends", async () => {
  const it = rig({ sleepAfterMs: 1_000 });
  const waits = it.waker.ready(it.a, 60_000, nobody());
  await it.clock.advance(1_000);
  it.live.setDrained("gpu", true);
  await it.clock.advance(1_000);
  expect([await waits, it.signals[0]?.aborted]).toEqual(["failed", true]);
  expect(await it.waker.ready(it.a, 1_000, nobody())).toBe("failed");
  it.server.up = true;
  await it.clock.advance(20_000);
  expect([it.calls, it.readiness(), it.alerts]).toEqual([["wake gpu/a"], "draining", []]);
});

test("a config without the hook ends its wake-up, and nothing runs on after the end", async () => {
  const it = rig();
  const wait = it.waker.ready(it.a, 120_000, nobody());
  await it.clock.advance(1_000);
  const plain = { ...it.a, upstream: { ...it.a.upstream, wake: undefined } };
  it.waker.follow([plain]);
  await it.clock.advance(1_000);
  expect([await wait, it.live.readiness(plain, it.clock.monotonicMs()), it.signals[0]?.aborted]).toEqual([
    "failed",
    "cold",
    true,
  ]);
  it.waker.stop();
  await it.clock.advance(5_000);
  expect(it.clock.waiting).toBe(0);
});

test("who may come back is told when: what is left of a usual cold start", async () => {
  const it = rig();
  expect(it.waker.retryAfterMs(it.a)).toBe(10_000);
  it.live.readinessState(it.a).noteColdStart(30_000);
  it.waker.want(it.a);
  await it.clock.advance(12_000);
  expect(it.waker.retryAfterMs(it.a)).toBeCloseTo(18_000, -3);
});

test("a call that is not answered when the model is there ends with the gateway", async () => {
  let held: AbortSignal | undefined;
  const it = rig(
    {},
    {
      call: (_action, _target, _wake, signal) => {
        held = signal;
        return new Promise(() => {});
      },
    },
  );
  const wait = it.waker.ready(it.a, 60_000, nobody());
  it.server.up = true;
  await it.clock.advance(1_000);
  expect(await wait).toBe("ready");
  expect(held?.aborted).toBe(false);
  it.waker.stop();
  expect(held?.aborted).toBe(true);
});
