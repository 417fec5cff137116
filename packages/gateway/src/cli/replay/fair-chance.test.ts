import { expect, test } from "bun:test";
import { FairChance } from "./fair-chance.ts";

const draws = (a: number, b: number) =>
  new Map([
    ["a", a],
    ["b", b],
  ]);

test("what chance decided stays decided, while the shares are those that chance gives", () => {
  const fair = new FairChance();
  // Half to each, in runs of three.
  for (let i = 0; i < 300; i++) {
    const recorded = Math.floor(i / 3) % 2 === 0 ? "a" : "b";
    expect(fair.choose(draws(8, 8), recorded)).toBe(recorded);
  }
});

test("a policy with other shares gets them, whatever was recorded", () => {
  const fair = new FairChance();
  const went = { a: 0, b: 0 };
  for (let i = 0; i < 2_000; i++) went[fair.choose(draws(14, 2), i % 2 === 0 ? "a" : "b") as "a" | "b"]++;
  expect(went.a / 2_000).toBeGreaterThan(0.84);
  expect(went.a / 2_000).toBeLessThan(0.9);
});

test("a target that is not among the drawn ones is not kept", () => {
  expect(["a", "b"]).toContain(new FairChance().choose(draws(1, 1), "c"));
});
