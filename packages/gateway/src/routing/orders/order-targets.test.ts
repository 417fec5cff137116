import { describe, expect, test } from "bun:test";
import type { OrderName } from "@fairlead/contract/routing-names";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { liveState, priceOf, runStream, views } from "../../../test/fixtures/target-views.ts";
import type { Deployment } from "../../core/deployment.ts";
import { orderTargets } from "./order-targets.ts";

const gpu = (name: string): ReturnType<typeof upstream> => upstream(name, "local");
const cloud = (name: string): ReturnType<typeof upstream> => upstream(name, "cloud");
const a = deployment(gpu("a"), "small");
const b = deployment(gpu("b"), "small");
const c = deployment(cloud("c"), "small");
const d = deployment(cloud("d"), "big");

function ordered(
  targets: readonly Deployment[],
  order: readonly OrderName[],
  more: Parameters<typeof views>[2] = {},
  live = liveState(),
  weights = { cost: 1, latency: 1, quality: 1 },
): string[][] {
  return orderTargets(views(targets, live, more), order, weights).map((group) => group.map(({ upstream }) => upstream));
}

describe("listed", () => {
  test("replicas of one model on one placement that follow each other are equals", () => {
    expect(ordered([a, b, c, d], [])).toEqual([["a", "b"], ["c"], ["d"]]);
    expect(ordered([a, c, b], ["listed"])).toEqual([["a"], ["c"], ["b"]]);
  });

  test("nothing gives no group", () => {
    expect(ordered([], [])).toEqual([]);
  });
});

describe("cheapest", () => {
  const prices = (of: Record<string, number>) => ({
    priceOf: ({ upstream: { name } }: Deployment) => (of[name] === undefined ? undefined : priceOf(of[name], of[name])),
  });

  test("the least expected cost comes first, and costs within one percent are one cost", () => {
    expect(ordered([a, b, c, d], ["cheapest"], prices({ a: 3, b: 1, c: 1.009, d: 1.02 }))).toEqual([
      ["b", "c"],
      ["d"],
      ["a"],
    ]);
  });

  test("an unpriced self-hosted target comes before everything, an unpriced cloud one behind everything", () => {
    expect(ordered([c, d, a, b], ["cheapest"], prices({ d: 1, b: 0.1 }))).toEqual([["a"], ["b"], ["d"], ["c"]]);
  });

  test("several unpriced targets are equals", () => {
    expect(ordered([c, a, d, b], ["cheapest"], {})).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
  });

  test("a conversation's warm cache outweighs a slightly lower list price", () => {
    const live = liveState();
    const asked = { features: { inputTokens: 4_000, conversationHash: 9 }, nowMs: 1_000 };
    const order = () => ordered([c, d], ["cheapest"], { ...asked, ...prices({ c: 1, d: 1.5 }) }, live);
    expect(order()).toEqual([["c"], ["d"]]);
    runStream(live, d, 0, { inputTokens: 3_500, conversation: 9 });
    expect(order()).toEqual([["d"], ["c"]]);
  });
});

describe("fastest", () => {
  test("the least predicted time to the first token comes first, near ones are equals", () => {
    const live = liveState();
    for (const [target, ttftMs] of [
      [a, 900],
      [b, 200],
      [c, 210],
      [d, 400],
    ] as const)
      runStream(live, target, 0, { ttftMs });
    expect(ordered([a, b, c, d], ["fastest"], {}, live)).toEqual([["b", "c"], ["d"], ["a"]]);
  });

  test("one that was never asked comes first, once; while it is unknown it stands behind", () => {
    const live = liveState();
    runStream(live, a, 0, { ttftMs: 900 });
    expect(ordered([a, b], ["fastest"], {}, live)).toEqual([["b"], ["a"]]);
    const first = live.begin(b, { inputTokens: 10, conversationHash: 0, streams: true }, 0);
    expect(ordered([a, b], ["fastest"], {}, live)).toEqual([["a"], ["b"]]);
    first.end("failure", 0, 10);
    expect(ordered([a, b], ["fastest"], {}, live)).toEqual([["a"], ["b"]]);
  });

  test("where only whole answers are known, the time to the end decides", () => {
    const live = liveState();
    for (const [target, ms] of [
      [a, 900],
      [b, 200],
    ] as const) {
      live.begin(target, { inputTokens: 10, conversationHash: 0, streams: false }, 0).end("success", 10, ms);
    }
    expect(ordered([a, b], ["fastest"], {}, live)).toEqual([["b"], ["a"]]);
  });
});

test("fastest: a full target whose wait is known does not come before a free one of which less is known", () => {
  const live = liveState();
  const [full, free] = [
    { ...a, slots: 1 },
    { ...b, slots: 1 },
  ];
  const work = { inputTokens: 10, conversationHash: 0, streams: false };
  for (const target of [full, free]) live.begin(target, work, 0).end("success", 10, 900);
  live.begin(full, work, 1_000);
  expect(ordered([full, free], ["fastest"], { nowMs: 1_000 }, live)).toEqual([["b"], ["a"]]);
});

test("quality and window: highest first, equals together", () => {
  const with_ = (target: Deployment, quality: number, contextWindow: number | undefined): Deployment => ({
    ...target,
    contextWindow,
    weights: { cost: 0.5, latency: 0.5, quality },
  });
  const targets = [with_(a, 0.5, 8_000), with_(b, 0.9, undefined), with_(c, 0.5, 1_000_000), with_(d, 0.7, 8_000)];
  expect(ordered(targets, ["quality"])).toEqual([["b"], ["d"], ["a", "c"]]);
  expect(ordered(targets, ["largest_window"])).toEqual([["c"], ["a", "d"], ["b"]]);
  expect(ordered(targets, ["quality", "largest_window"])).toEqual([["b"], ["d"], ["c"], ["a"]]);
});

test("balanced: the weights decide what counts", () => {
  const cheap = { ...c, weights: { cost: 1, latency: 0.5, quality: 0.2 } };
  const good = { ...d, weights: { cost: 0.2, latency: 0.5, quality: 1 } };
  const order = (cost: number, quality: number) =>
    ordered([cheap, good], ["balanced"], {}, liveState(), { cost, latency: 0, quality });
  expect(order(3, 1)).toEqual([["c"], ["d"]]);
  expect(order(1, 3)).toEqual([["d"], ["c"]]);
  expect(order(1, 1)).toEqual([["c", "d"]]);
});
