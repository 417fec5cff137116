import { expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { liveState, runStream } from "../../test/fixtures/target-views.ts";

const gpu = upstream("gpu", "local");
const [a, b] = [deployment(gpu, "a"), deployment(gpu, "b")];
const work = { inputTokens: 100, conversationHash: 5, streams: true };

test("configured slots are a deployment's own; an engine's are shared by all that it serves", () => {
  const live = liveState();
  live.begin(a, work, 0);
  live.begin(b, work, 0);
  expect(live.surroundings({ ...a, slots: 4 }, 0)).toEqual({ nowMs: 0, slots: 4, others: 0, inTurn: true });
  live.noteLoad("gpu", { running: 2, waiting: 0, kvUsage: undefined }, 16, 0);
  expect(live.surroundings(a, 0)).toEqual({ nowMs: 0, slots: 16, others: 1, inTurn: true });
});

test("requests from elsewhere take slots too, until the figures are stale", () => {
  const live = liveState();
  for (let i = 0; i < 4; i++)
    live.noteLoad("gpu", { running: 6, waiting: 0, kvUsage: undefined }, undefined, i * 5_000);
  expect(live.surroundings(a, 45_000).others).toBe(6);
  expect(live.surroundings(a, 45_001).others).toBe(0);
});

test("a deployment that the config lost is forgotten, and work that still runs there does no harm when it is back", () => {
  const live = liveState();
  runStream(live, a, 0);
  const running = live.begin(a, work, 0);
  live.sweep([b]);
  expect([live.deployment(a).latency.ttftMs, live.deployment(a).inFlight]).toEqual([undefined, 0]);
  running.firstToken(10);
  running.end("success", 10, 20);
  expect([live.deployment(a).inFlight, live.surroundings(b, 20).others]).toEqual([0, 0]);
});

test("a conversation is where its last stream began or its last answer ended, but not where an attempt failed", () => {
  const live = liveState();
  const uncached = (): number[] =>
    [a, b].map((target) => live.uncachedTokens(target, { ...work, inputTokens: 150 }, 100));
  live.begin(a, work, 0).end("failure", 0, 10);
  expect(uncached()).toEqual([150, 150]);
  const left = live.begin(a, work, 0);
  left.firstToken(10);
  left.end("neutral", 0, 20);
  expect(uncached()).toEqual([50, 150]);
  live.begin(b, { ...work, streams: false }, 30).end("success", 10, 40);
  expect(uncached()).toEqual([150, 50]);
});

test("one model that is being loaded leaves its neighbours on the same server alone", () => {
  const live = liveState();
  live.markReady("gpu", 1_000);
  live.markLoading(a, 3_000, 1_000);
  expect([live.readiness(a, 2_999), live.readiness(b, 2_999)]).toEqual(["warming", "ready"]);
  expect(live.readiness(a, 3_000)).toBe("ready");
  live.markLoading(a, 9_000, 4_000);
  live.markServed(a, 4_500);
  expect(live.readiness(a, 5_000)).toBe("ready");
  live.markLoading(a, 9_000, 5_000);
  live.noteLoadOf(a, "loaded");
  expect(live.readiness(a, 5_500)).toBe("ready");
});

test("what an upstream's probe says holds for all that it serves, and it is known since when", () => {
  const live = liveState();
  live.markCold("gpu", 1_000);
  expect([live.readiness(a, 1_000), live.readiness(b, 1_000)]).toEqual(["cold", "cold"]);
  live.markReady("gpu", 5_000);
  expect([live.readiness(a, 5_000), live.readinessState(a).sinceMs]).toEqual(["ready", 5_000]);
  expect([live.readiness(a, 9_000), live.readinessState(a).sinceMs]).toEqual(["ready", 5_000]);
});

test("a request may have to wait for a load where the model was never seen loaded, or not lately", () => {
  const live = liveState();
  const cloud = deployment(upstream("far", "cloud"), "big");
  expect([live.mayLoad(a, 0), live.mayLoad(cloud, 0)]).toEqual([true, false]);
  live.markServed(a, 1_000);
  expect([live.mayLoad(a, 301_000), live.mayLoad(a, 301_001), live.mayLoad(b, 1_000)]).toEqual([false, true, true]);
  // A server that tells is believed.
  live.noteLoadOf(a, "loaded");
  expect(live.mayLoad(a, 900_000)).toBe(false);
  live.noteLoadOf(a, "unloaded");
  expect([live.readiness(a, 900_000), live.mayLoad(a, 900_000)]).toEqual(["ready", true]);
  live.noteLoadOf(a, "loaded");
  live.markCold("gpu", 900_000);
  expect(live.mayLoad(a, 900_000)).toBe(true);
});

test("a model's demand is who runs on it, who waits for it and who lately went elsewhere", () => {
  const live = liveState();
  const running = live.begin(a, work, 1_000);
  live.readinessState(a).demand.passedOver(1_000);
  const end = live.readinessState(a).demand.wait(1_000);
  expect([live.demand(a, 1_000), live.demand(b, 1_000)]).toEqual([3, 0]);
  running.end("success", 1, 2_000);
  end();
  expect([live.demand(a, 2_000), live.demand(a, 70_000)]).toEqual([1, 0]);
});
