import { describe, expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { liveState, priceOf, runStream, views } from "../../test/fixtures/target-views.ts";
import { PlacementView } from "./placement-view.ts";

const gpu = upstream("gpu", "local");
const local = deployment(gpu, "small", { slots: 2 });
const cloud = deployment(upstream("cloud", "cloud"), "big");
const minute = 60_000;

function one(target = local, live = liveState(), more: Parameters<typeof views>[2] = {}) {
  const [view] = views([target], live, more);
  if (view === undefined) throw new Error("one target, one view");
  return view;
}

describe("while nothing was measured", () => {
  test("latencies are 0, which is unknown, and weights are what is known of the model", () => {
    const view = one(cloud);
    expect([view.ttftMs, view.latencyMs, view.tokensPerSecond, view.errorRate, view.queueDepth]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    expect([view.knownTtftMs, view.knownLatencyMs, view.untried]).toEqual([undefined, undefined, true]);
    expect([view.costWeight, view.latencyWeight, view.quality]).toEqual([
      cloud.weights.cost,
      cloud.weights.latency,
      cloud.weights.quality,
    ]);
  });

  test("an unknown price is infinite, never 0", () => {
    expect([one().costUsd, one().pricePer1k, one().priced]).toEqual([Infinity, Infinity, false]);
  });
});

describe("what was measured", () => {
  test("decides latencies and their weight", () => {
    const live = liveState();
    runStream(live, local, 0, { ttftMs: 200, decodeMs: 2_000, outputTokens: 101 });
    const view = one(local, live, { nowMs: 3_000 });
    expect(view.ttftMs).toBeCloseTo(200);
    expect(view.tokensPerSecond).toBeCloseTo(50);
    expect(view.latencyMs).toBeCloseTo(2_200);
    expect(view.latencyWeight).toBeCloseTo(5_000 / 7_200);
  });

  test("whole answers tell the time to the end, not to the first token", () => {
    const live = liveState();
    const attempt = live.begin(local, { inputTokens: 10, conversationHash: 0, streams: false }, 0);
    attempt.firstToken(5);
    attempt.end("success", 50, 900);
    const view = one(local, live, { nowMs: 1_000 });
    expect([view.knownTtftMs, view.sawFirstTokens, view.latencyMs]).toEqual([undefined, false, 900]);
  });

  test("a client that leaves blames nobody, a failure does, and both end the work", () => {
    const live = liveState();
    const work = { inputTokens: 10, conversationHash: 0, streams: true };
    live.begin(local, work, 0).end("neutral", 0, 10);
    expect([one(local, live).errorRate, one(local, live).inFlight]).toEqual([0, 0]);
    const failing = live.begin(local, work, 0);
    expect(one(local, live).inFlight).toBe(1);
    failing.end("failure", 0, 10);
    failing.end("failure", 0, 10);
    expect(one(local, live, { nowMs: 10 }).errorRate).toBe(0.5);
    expect([one(local, live).inFlight, one(local, live).knownLatencyMs]).toEqual([0, undefined]);
  });

  test("is computed once for a request, even when the world moves on meanwhile", () => {
    const live = liveState();
    runStream(live, local, 0, { ttftMs: 200 });
    const view = one(local, live, { nowMs: 3_000 });
    const before = view.ttftMs;
    runStream(live, local, 3_000, { ttftMs: 9_000 });
    expect(view.ttftMs).toBe(before);
  });

  test("says less and less while nobody asks, so that a target that was slow once is tried again", () => {
    const live = liveState();
    runStream(live, local, 0, { ttftMs: 8_000, decodeMs: 2_000, outputTokens: 101 });
    const ttftMs = (nowMs: number): number => one(local, live, { nowMs }).ttftMs;
    expect(ttftMs(30_000)).toBeCloseTo(8_000);
    expect(ttftMs(30_000 + 2 * minute)).toBeCloseTo(2_000);
    expect(one(local, live, { nowMs: 30_000 + 2 * minute }).latencyMs).toBeCloseTo(2_500);
    expect(ttftMs(100 * minute)).toBeCloseTo(250);
    live.begin(local, { inputTokens: 10, conversationHash: 0, streams: true }, 100 * minute);
    expect(ttftMs(100 * minute)).toBeGreaterThan(7_900);
    // Work that runs is known, however long ago it began.
    expect(ttftMs(110 * minute)).toBeGreaterThan(9 * minute);
  });
});

describe("queues", () => {
  test("requests beyond the slots wait", () => {
    const live = liveState();
    for (let i = 0; i < 5; i++) live.begin(local, { inputTokens: 10, conversationHash: 0, streams: true }, 0);
    expect([one(local, live).queueDepth, one(local, live).occupancy]).toEqual([3, 2.5]);
  });

  test("where slots are unknown the engine tells, while what it told is fresh", () => {
    const live = liveState();
    const target = deployment(gpu, "small");
    live.noteLoad("gpu", { running: undefined, waiting: 7, kvUsage: undefined }, undefined, 0);
    expect(one(target, live, { nowMs: 30_000 }).queueDepth).toBe(7);
    expect(one(target, live, { nowMs: 30_001 }).queueDepth).toBe(0);
  });

  test("models on one engine share its slots", () => {
    const live = liveState();
    const [a, b] = [deployment(gpu, "a"), deployment(gpu, "b")];
    live.noteLoad("gpu", { running: 0, waiting: 0, kvUsage: undefined }, 2, 0);
    runStream(live, b, 0, { ttftMs: 100 });
    for (let i = 0; i < 4; i++) live.begin(a, { inputTokens: 10, conversationHash: 0, streams: true }, 2_000);
    const view = one(b, live, { nowMs: 2_000 });
    expect(view.queueDepth).toBe(2);
    expect(view.ttftMs).toBeGreaterThan(1_000);
  });
});

test("clients that never stream spill too: where slots are known, whole answers tell how long one waits for them", () => {
  const live = liveState();
  const work = { inputTokens: 10, conversationHash: 0, streams: false };
  for (let i = 0; i < 3; i++) live.begin(local, work, i * 4_000).end("success", 50, (i + 1) * 4_000);
  const ttftMs = (): number => new PlacementView(views([local], live, { nowMs: 20_000 })).ttftMs;
  const running = [live.begin(local, work, 20_000)];
  expect(ttftMs()).toBe(0);
  running.push(live.begin(local, work, 20_000));
  // Both slots are taken for four seconds: one is free after two of them.
  expect(ttftMs()).toBeCloseTo(2_000);
  live.begin(local, work, 20_000);
  expect(ttftMs()).toBeCloseTo(4_000);
  for (const attempt of running) attempt.end("success", 50, 24_000);
  expect(ttftMs()).toBe(0);
});

describe("a warm conversation", () => {
  const conversation = { conversationHash: 77, inputTokens: 2_000 };
  const priced = { priceOf: () => priceOf(1, 10), features: conversation };

  test("is cheaper where its last turn was, by what its earlier prompt costs less from the cache", () => {
    const live = liveState();
    const cold = one(cloud, live, priced).costUsd;
    expect(cold).toBeCloseTo(2_000e-6 + 100 * 10e-6, 9);
    runStream(live, cloud, 0, { inputTokens: 1_500, conversation: 77 });
    const warm = one(cloud, live, { ...priced, nowMs: minute });
    expect(warm.warmTokens).toBe(1_500);
    expect(cold - warm.costUsd).toBeCloseTo(1_500e-6 * 0.9, 9);
    expect(one(cloud, live, { ...priced, nowMs: 10 * minute }).costUsd).toBeCloseTo(cold, 9);
    expect(one(local, live, { ...priced, nowMs: minute }).warmTokens).toBe(0);
  });

  test("is predicted to be faster where its last turn was", () => {
    const live = liveState();
    for (let i = 0; i < 20; i++) {
      const inputTokens = i % 2 === 0 ? 100 : 3_000;
      runStream(live, local, i * 2_000, { inputTokens, ttftMs: 50 + inputTokens / 2 });
    }
    const cold = one(local, live, { features: conversation, nowMs: 50_000 }).ttftMs;
    runStream(live, local, 50_000, { inputTokens: 1_900, ttftMs: 1_000, conversation: 77 });
    expect(one(local, live, { features: conversation, nowMs: 52_000 }).ttftMs).toBeLessThan(cold / 4);
  });

  test("never has more warm tokens than the request has tokens", () => {
    const live = liveState();
    runStream(live, local, 0, { inputTokens: 9_000, conversation: 77 });
    expect(one(local, live, { features: conversation, nowMs: 2_000 }).warmTokens).toBe(2_000);
  });
});

test("a price decides the cost weight: half at 0.003 dollars for a thousand tokens", () => {
  const weightAt = (dollars: number): number =>
    one(cloud, liveState(), { priceOf: () => priceOf(dollars, dollars) }).costWeight;
  expect(weightAt(3)).toBeCloseTo(0.5);
  expect(weightAt(0)).toBe(1);
  expect(weightAt(30)).toBeCloseTo(1 / 11);
});

test("a target is ready unless its breaker, its cool-down or its upstream says otherwise", () => {
  const live = liveState();
  expect(one(local, live).ready).toBe(true);
  live.markCold("gpu", 0);
  expect(one(local, live).ready).toBe(false);
  live.markReady("gpu", 0);
  live.deployment(local).coolUntilMs = 500;
  expect([one(local, live, { nowMs: 499 }).ready, one(local, live, { nowMs: 500 }).ready]).toEqual([false, true]);
  for (let i = 0; i < 5; i++) live.deployment(local).breaker.begin(500)("failure", 500);
  expect(one(local, live, { nowMs: 501 }).ready).toBe(false);
});

test("it is trusted with what it is adequate for, and fits what its window holds", () => {
  const sized = deployment(gpu, "small", { contextWindow: 1_000 });
  expect(one(sized, liveState(), { features: { promptTokens: 1_500 } }).adequate).toBe(true);
  expect(one(sized, liveState(), { features: { promptTokens: 1_501 } }).adequate).toBe(false);
  expect(one(sized, liveState(), { features: { maxTokens: 1_025 } }).promptAdequate).toBe(true);
  expect(one(sized, liveState(), { features: { maxTokens: 1_025 } }).adequate).toBe(false);
  expect(one(cloud, liveState(), { features: { promptTokens: 90_000, maxTokens: 9_000 } }).adequate).toBe(true);
  expect(one(sized, liveState(), { features: { windowTokens: 700, requestedMaxTokens: 300 } }).fits).toBe(true);
  expect(one(sized, liveState(), { features: { windowTokens: 701, requestedMaxTokens: 300 } }).fits).toBe(false);
  expect(one(cloud, liveState(), { features: { windowTokens: 9e9 } }).fits).toBe(true);
});

describe("a placement", () => {
  const other = deployment(upstream("gpu2", "local"), "small", { slots: 2 });

  test("counts its deployments, and the best of the ready ones tells the time to the first token", () => {
    const live = liveState();
    runStream(live, local, 0, { ttftMs: 900 });
    runStream(live, other, 0, { ttftMs: 300 });
    const all = () => new PlacementView(views([local, other], live, { nowMs: 2_000, features: { maxTokens: 2_000 } }));
    expect([all().count, all().ready, all().adequate, all().promptAdequate, all().inFlight]).toEqual([2, 2, 0, 2, 0]);
    expect(all().ttftMs).toBeCloseTo(300);
    live.markCold("gpu2", 0);
    expect(all().ready).toBe(1);
    expect(all().ttftMs).toBeCloseTo(900);
    live.markCold("gpu", 0);
    expect(all().ttftMs).toBe(Infinity);
  });

  test("nobody knows while one that has no queue was never measured", () => {
    const live = liveState();
    runStream(live, local, 0, { ttftMs: 900 });
    expect(new PlacementView(views([local, other], live)).ttftMs).toBe(0);
    for (let i = 0; i < 3; i++) live.begin(other, { inputTokens: 10, conversationHash: 0, streams: true }, 0);
    expect(new PlacementView(views([local, other], live, { nowMs: 2_000 })).ttftMs).toBeCloseTo(900);
    expect(new PlacementView([]).ttftMs).toBe(Infinity);
  });
});
