import { describe, expect, test } from "bun:test";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import { liveState, priceOf, runStream, views } from "../../test/fixtures/target-views.ts";
import type { Deployment } from "../core/deployment.ts";
import { orderStage } from "./order-stage.ts";
import { listed, type Stage } from "./preference.ts";

const at = (name: string, region?: string) => deployment(upstream(name, "cloud", { region }), name);
const a = at("a", "eu-west");
const b = at("b", "us-east");
const c = at("c", "eu-central");
const d = at("d");

interface Given {
  readonly region?: string;
  readonly unable?: readonly Deployment[];
  /** Dollars a million tokens. */
  readonly prices?: ReadonlyMap<Deployment, number>;
  readonly live?: ReturnType<typeof liveState>;
}

function order(stage: Stage, { region, unable = [], prices, live = liveState() }: Given = {}) {
  const known = views(stage.targets, live, {
    nowMs: 100_000,
    priceOf: (target) => {
      const price = prices?.get(target);
      return price === undefined ? undefined : priceOf(price, price);
    },
  });
  const asked: Deployment[] = [];
  const ordered = orderStage(stage, stage.targets, {
    catalogue: catalogue(stage.targets),
    region,
    viewOf: (target) => known[stage.targets.indexOf(target)]!,
    balance: { fraction: () => 0, prefixHash: 1, conversationHash: 2, session: undefined },
    canServe(target) {
      asked.push(target);
      return !unable.includes(target);
    },
  });
  const names = (targets: readonly Deployment[]) => targets.map(({ model }) => model).join("");
  return {
    first: ordered.first?.model,
    usable: names(ordered.usable),
    considered: names(ordered.considered),
    asked: names(asked),
  };
}

const plain = (...targets: Deployment[]): Stage => listed(targets, "priority");

describe("a stage's own order", () => {
  test("is kept, and what cannot serve is considered but not usable", () => {
    const ordered = order(plain(a, b, c), { unable: [a] });
    expect(ordered).toMatchObject({ first: "a", usable: "bc", considered: "abc" });
  });

  test("may be by price", () => {
    const prices = new Map([
      [a, 3],
      [b, 1],
      [c, 2],
    ]);
    const stage: Stage = { targets: [a, b, c], order: ["cheapest"], balance: "priority" };
    expect(order(stage, { prices }).usable).toBe("bca");
  });

  test("may be by throughput, the unmeasured last", () => {
    const live = liveState();
    for (let i = 0; i < 3; i++) {
      runStream(live, b, i * 10_000, { decodeMs: 4_000 });
      runStream(live, c, i * 10_000, { decodeMs: 500 });
    }
    const stage: Stage = { targets: [a, b, c], order: ["throughput"], balance: "priority" };
    expect(order(stage, { live }).usable).toBe("cba");
  });

  test("asks of each target once whether it can serve", () => {
    expect(order(plain(a, b, c)).asked).toBe("abc");
    expect(order(plain(a)).asked).toBe("a");
  });
});

test("one target is the first choice whether it can serve or not", () => {
  expect(order(plain(a), { unable: [a] })).toMatchObject({ first: "a", usable: "", considered: "a" });
});

test("no target is no choice", () => {
  expect(order(plain())).toMatchObject({ first: undefined, usable: "", considered: "" });
});

describe("regions", () => {
  test("come before the stage's own order", () => {
    expect(order(plain(d, b, c, a), { region: "eu-west" })).toMatchObject({ first: "a", usable: "acdb" });
    const prices = new Map([
      [a, 9],
      [b, 1],
      [c, 2],
    ]);
    const stage: Stage = { targets: [a, b, c], order: ["cheapest"], balance: "priority" };
    expect(order(stage, { region: "eu-west", prices }).usable).toBe("acb");
  });

  test("that are equally far keep the stage's order", () => {
    expect(order(plain(b, a), { region: "ap-south" }).usable).toBe("ba");
  });
});

describe("a limit", () => {
  const limited = (limit: number): Stage => ({ ...plain(a, b, c), limit });

  test("bounds what is considered, able or not", () => {
    expect(order(limited(2))).toMatchObject({ usable: "ab", considered: "ab" });
    expect(order(limited(1), { unable: [a] })).toMatchObject({ first: "a", usable: "", considered: "a" });
  });

  test("takes able ones of a group of equals first", () => {
    const equal: Stage = { targets: [a, b, c], order: [], balance: "priority", limit: 1 };
    expect(order(equal, { unable: [a] })).toMatchObject({ first: "b", usable: "b", considered: "b" });
  });
});
