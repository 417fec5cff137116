import { describe, expect, test } from "bun:test";
import { askOf, type SomeAsk } from "../../test/fixtures/asks.ts";
import { routingFacts, type SomeFacts } from "../../test/fixtures/routing-facts.ts";
import { seeded } from "../../test/fixtures/target-views.ts";
import type { Arm, Experiment } from "../core/gateway-model.ts";
import { chooseArm } from "./choose-arm.ts";
import type { Asked } from "./resolve-name.ts";

const arm = (name: string, weight = 1): Arm => ({ name, weight, targets: undefined, strategy: name });
const experiment = (more: Partial<Experiment> = {}): Experiment => ({
  name: "try",
  when: undefined,
  models: [],
  sticky: "conversation",
  arms: [arm("a"), arm("b")],
  ...more,
});
const auto: Asked = { name: "auto", named: undefined, unknown: false };
const named: Asked = {
  name: "small",
  named: { reason: "alias", targets: [], fallback: undefined, listed: true },
  unknown: false,
};

function armOf(about: Experiment, ask: SomeAsk = {}, fraction = () => 0, asked = auto, facts: SomeFacts = {}) {
  return chooseArm([about], askOf(ask), asked, routingFacts(facts), fraction)?.choice;
}

describe("whom an experiment is about", () => {
  test("requests that leave the choice, unless it names models", () => {
    expect(armOf(experiment())).toBeDefined();
    expect(armOf(experiment(), {}, () => 0, named)).toBeUndefined();
    expect(armOf(experiment({ models: ["small"] }), {}, () => 0, named)).toBeDefined();
    expect(armOf(experiment({ models: ["small"] }))).toBeUndefined();
  });

  test("those for whom its condition holds; the first such experiment decides", () => {
    const never = experiment({ name: "never", when: () => false });
    const both = chooseArm([never, experiment()], askOf(), auto, routingFacts(), () => 0);
    expect(both?.choice.name).toBe("try");
    expect(armOf(never)).toBeUndefined();
  });
});

describe("shares", () => {
  test("follow the weights, and the probability is told", () => {
    const about = experiment({ sticky: "request", arms: [arm("rare", 1), arm("usual", 9)] });
    const random = seeded(7);
    const counts = { rare: 0, usual: 0 };
    for (let i = 0; i < 5_000; i++) {
      const choice = armOf(about, {}, random);
      if (choice === undefined) throw new Error("an arm was expected");
      counts[choice.arm as keyof typeof counts]++;
      expect(choice.probability).toBe(choice.arm === "rare" ? 0.1 : 0.9);
    }
    expect(counts.rare).toBeGreaterThan(400);
    expect(counts.rare).toBeLessThan(600);
  });

  test("follow the weights over conversations too", () => {
    const about = experiment({ arms: [arm("rare", 1), arm("usual", 3)] });
    let rare = 0;
    for (let i = 0; i < 4_000; i++) {
      if (armOf(about, { features: { conversationHash: i * 2_654_435_761 } })?.arm === "rare") rare++;
    }
    expect(rare).toBeGreaterThan(850);
    expect(rare).toBeLessThan(1_150);
  });

  test("the edges of the draw belong to the first and the last arm", () => {
    const about = experiment({ sticky: "request" });
    expect(armOf(about, {}, () => 0)?.arm).toBe("a");
    expect(armOf(about, {}, () => 0.499_999)?.arm).toBe("a");
    expect(armOf(about, {}, () => 0.5)?.arm).toBe("b");
    expect(armOf(about, {}, () => 1 - Number.EPSILON)?.arm).toBe("b");
  });
});

describe("what stays with one arm", () => {
  const arms = Array.from({ length: 64 }, (_, i) => arm(`a${i}`));
  const random = seeded(3);
  const drawn = (sticky: Experiment["sticky"], ask: SomeAsk) => armOf(experiment({ sticky, arms }), ask, random)?.arm;

  test("a conversation, whatever its turn; another one is drawn anew", () => {
    const turn = (conversationHash: number, prefixHash: number) =>
      drawn("conversation", { features: { conversationHash, prefixHash } });
    expect(turn(5, 1)).toBe(turn(5, 2));
    expect(new Set(Array.from({ length: 30 }, (_, i) => turn(i, 1))).size).toBeGreaterThan(10);
  });

  test("a key or a user over all its conversations; without one the conversation", () => {
    const by = (sticky: "key" | "user", conversationHash: number, key: object) =>
      drawn(sticky, { key, features: { conversationHash } });
    const key = { id: "k1" };
    expect(by("key", 1, key)).toBe(by("key", 2, key));
    expect(by("user", 1, { ...key, user: "ann" })).toBe(by("user", 2, { id: "k2", user: "ann" }));
    expect(by("user", 1, key)).toBe(by("user", 2, key));
    expect(new Set(Array.from({ length: 30 }, (_, i) => by("key", i, {}))).size).toBeGreaterThan(10);
  });
});
