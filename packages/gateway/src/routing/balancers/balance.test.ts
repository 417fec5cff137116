import { describe, expect, test } from "bun:test";
import type { BalancerName } from "@fairlead/contract/routing-names";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { liveState, runStream, seeded, views } from "../../../test/fixtures/target-views.ts";
import type { Deployment } from "../../core/deployment.ts";
import type { LiveState } from "../live-state.ts";
import { balance, balancers } from "./balance.ts";
import type { BalanceAsk } from "./balancer.ts";

const replicas = (count: number, slots: number | undefined = 8): Deployment[] =>
  Array.from({ length: count }, (_, i) => deployment(upstream(`gpu${i}`, "local"), "small", { slots }));

function ask(more: Partial<BalanceAsk> = {}, fraction = seeded(1)): BalanceAsk {
  return { fraction, prefixHash: 0, conversationHash: 0, ...more };
}

function occupy(live: LiveState, target: Deployment | undefined, count: number, nowMs = 0): void {
  if (target === undefined) throw new Error("no such target");
  for (let i = 0; i < count; i++) {
    live.begin(target, { inputTokens: 100, conversationHash: 0, streams: true }, nowMs).firstToken(nowMs + 1);
  }
}

/** Sends requests that never end; counts where they went. */
function spread(
  name: BalancerName,
  targets: readonly Deployment[],
  times: number,
  live = liveState(),
  fraction = seeded(1),
) {
  const counts = targets.map(() => 0);
  for (let i = 0; i < times; i++) {
    const conversationHash = Math.floor(fraction() * 2 ** 32);
    const asked = { features: { conversationHash }, nowMs: 10_000 };
    const [first] = balance(name, views(targets, live, asked), ask({ conversationHash }, fraction));
    if (first === undefined) throw new Error("nobody was chosen");
    const at = targets.indexOf(first.deployment);
    counts[at] = (counts[at] ?? 0) + 1;
    occupy(live, first.deployment, 1, 10_000);
  }
  return counts;
}

test("every balancer returns the whole group, each target once", () => {
  const targets = replicas(5);
  for (const name of Object.keys(balancers) as BalancerName[]) {
    const live = liveState();
    occupy(live, targets[2], 4);
    const group = views(targets, live);
    for (const session of [undefined, "s"]) {
      const ids = balance(name, group, ask({ conversationHash: 5, session })).map(({ id }) => id);
      expect(ids.toSorted()).toEqual(targets.map(({ id }) => id));
    }
    expect(balance(name, [], ask())).toEqual([]);
  }
});

test("priority keeps the order of the config", () => {
  const group = views(replicas(4), liveState());
  expect(balance("priority", group, ask())).toEqual(group);
});

test("weighted gives each target its share, and the same seed the same order", () => {
  const [a, b] = replicas(2);
  if (a === undefined || b === undefined) throw new Error("two replicas");
  const targets = [
    { ...a, weight: 3 },
    { ...b, weight: 1 },
  ];
  const fraction = seeded(7);
  let first = 0;
  for (let i = 0; i < 4_000; i++) {
    if (balance("weighted", views(targets, liveState()), ask({}, fraction))[0]?.upstream === "gpu0") first++;
  }
  expect(first / 4_000).toBeCloseTo(0.75, 1);
  const ids = () => balance("weighted", views(replicas(6), liveState()), ask({}, seeded(3))).map(({ id }) => id);
  expect(ids()).toEqual(ids());
});

test("least_in_flight fills evenly", () => {
  expect(spread("least_in_flight", replicas(4), 40)).toEqual([10, 10, 10, 10]);
});

describe("peak_ewma", () => {
  const train = (live: LiveState, target: Deployment | undefined, factor: number): void => {
    if (target === undefined) throw new Error("no such target");
    for (let i = 0; i < 40; i++) {
      const inputTokens = i % 2 === 0 ? 100 : 2_000;
      runStream(live, target, i, { inputTokens, ttftMs: (50 + inputTokens / 10) * factor, decodeMs: 2_000 * factor });
    }
  };

  test("a fast engine with six requests beats a slow one with four", () => {
    const live = liveState();
    const [fast, slow] = replicas(2, 4);
    if (fast === undefined || slow === undefined) throw new Error("two replicas");
    train(live, fast, 1);
    train(live, slow, 4);
    occupy(live, fast, 6, 1_000);
    occupy(live, slow, 4, 1_000);
    for (let seed = 0; seed < 20; seed++) {
      const group = views([slow, fast], live, { nowMs: 1_100 });
      expect(balance("peak_ewma", group, ask({}, seeded(seed)))[0]?.deployment).toBe(fast);
      expect(balance("least_in_flight", group, ask({}, seeded(seed)))[0]?.deployment).toBe(slow);
    }
  });

  test("equal targets share evenly", () => {
    const live = liveState();
    const targets = replicas(4);
    for (const target of targets) train(live, target, 1);
    const counts = spread("peak_ewma", targets, 80, live);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(4);
  });

  test("each target that was never asked is asked once before anything else", () => {
    const live = liveState();
    const targets = replicas(4);
    train(live, targets[0], 1);
    expect(spread("peak_ewma", targets, 3, live)).toEqual([0, 1, 1, 1]);
    for (let seed = 0; seed < 10; seed++) {
      const fresh = liveState();
      for (const target of targets.slice(1)) train(fresh, target, 1);
      expect(balance("peak_ewma", views(targets, fresh), ask({}, seeded(seed)))[0]?.deployment).toBe(targets[0]);
    }
  });

  test("a replica that fails fast is not the fastest", () => {
    const live = liveState();
    const [good, bad] = replicas(2);
    if (good === undefined || bad === undefined) throw new Error("two replicas");
    for (const target of [good, bad]) train(live, target, 1);
    for (let i = 0; i < 4; i++) {
      live.begin(bad, { inputTokens: 10, conversationHash: 0, streams: true }, 300_000).end("failure", 0, 300_001);
    }
    occupy(live, good, 3, 300_000);
    const group = () => views([bad, good], live, { nowMs: 300_100 });
    for (let seed = 0; seed < 10; seed++) {
      expect(balance("peak_ewma", group(), ask({}, seeded(seed)))[0]?.deployment).toBe(good);
    }
  });

  test("where only whole answers are known, their time and what runs there decide", () => {
    const live = liveState();
    const [quick, slow] = replicas(2, 1);
    if (quick === undefined || slow === undefined) throw new Error("two replicas");
    for (const [target, ms] of [
      [quick, 500],
      [slow, 1_400],
    ] as const) {
      live.begin(target, { inputTokens: 10, conversationHash: 0, streams: false }, 0).end("success", 10, ms);
    }
    const first = () => balance("peak_ewma", views([slow, quick], live, { nowMs: 2_000 }), ask())[0]?.deployment;
    const load = (): unknown => live.begin(quick, { inputTokens: 10, conversationHash: 0, streams: false }, 2_000);
    expect(first()).toBe(quick);
    load();
    expect(first()).toBe(quick);
    load();
    expect(first()).toBe(slow);
  });

  test("a warm conversation stays where it is, among however many, until that one is overloaded", () => {
    const live = liveState();
    const targets = replicas(8, 4);
    for (const target of targets) train(live, target, 1);
    const [, , , home] = targets;
    if (home === undefined) throw new Error("eight replicas");
    runStream(live, home, 1_000, { inputTokens: 3_000, ttftMs: 350, conversation: 99 });
    const asked = { features: { inputTokens: 3_200, conversationHash: 99 }, nowMs: 5_000 };
    const firsts = () =>
      Array.from(
        { length: 20 },
        (_, seed) => balance("peak_ewma", views(targets, live, asked), ask({}, seeded(seed)))[0]?.id,
      );
    occupy(live, home, 3, 4_000);
    expect(new Set(firsts())).toEqual(new Set([home.id]));
    occupy(live, home, 9, 4_000);
    expect(firsts()).not.toContain(home.id);
  });
});

describe("prefix_hash", () => {
  const homes = (targets: readonly Deployment[], live = liveState()): Map<number, string> =>
    new Map(
      Array.from({ length: 500 }, (_, i) => {
        const conversationHash = Math.imul(i + 1, 0x9e3779b1) >>> 0;
        return [conversationHash, balance("prefix_hash", views(targets, live), ask({ conversationHash }))[0]?.id ?? ""];
      }),
    );

  test("removing one target moves only its own conversations", () => {
    const targets = replicas(5);
    const before = homes(targets);
    const gone = targets[1]?.id ?? "";
    const after = homes(targets.filter(({ id }) => id !== gone));
    for (const [conversation, home] of before) {
      if (home !== gone) expect(after.get(conversation)).toBe(home);
    }
    expect([...before.values()].filter((home) => home === gone).length).toBeGreaterThan(60);
  });

  test("no target ever gets more than its bound, however unlucky the keys are", () => {
    const targets = replicas(4);
    const live = liveState();
    const counts = [0, 0, 0, 0];
    for (let i = 1; i <= 200; i++) {
      const [first] = balance("prefix_hash", views(targets, live), ask({ conversationHash: 42 }));
      const at = first === undefined ? -1 : targets.indexOf(first.deployment);
      counts[at] = (counts[at] ?? 0) + 1;
      occupy(live, targets[at], 1);
      expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil((1.25 * i) / 4));
    }
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  test("a heavier target gets its share of conversations", () => {
    const [a, b] = replicas(2);
    if (a === undefined || b === undefined) throw new Error("two replicas");
    const found = [...homes([{ ...a, weight: 4 }, b]).values()].filter((id) => id === a.id).length;
    expect(found / 500).toBeCloseTo(0.8, 1);
  });

  test("without a conversation the system prompt and tools decide", () => {
    const group = views(replicas(6), liveState());
    const first = (prefixHash: number) => balance("prefix_hash", group, ask({ prefixHash }))[0]?.id;
    expect(first(5)).toBe(first(5));
    expect(new Set([1, 2, 3, 4, 5, 6, 7, 8].map(first)).size).toBeGreaterThan(1);
  });
});

test("a session stays with its target whatever the load, and leaves it only while it cannot be asked", () => {
  const live = liveState();
  const targets = replicas(4);
  const first = () => balance("peak_ewma", views(targets, live), ask({ session: "s-1" }))[0]?.deployment;
  const home = first();
  occupy(live, home, 50);
  expect(first()).toBe(home);
  live.markCold(home?.upstream.name ?? "", 0);
  expect(first()).not.toBe(home);
  live.markReady(home?.upstream.name ?? "", 0);
  expect(first()).toBe(home);
});
