import { expect, test } from "bun:test";
import { ShadowTally } from "../pipeline/shadow-tally.ts";
import { sumShadows } from "./sum-shadows.ts";

const comparison = { sameFinish: true, sameText: false, similarity: 0.5 } as Parameters<ShadowTally["compared"]>[0];

test("results of several processes are those of one that saw everything", () => {
  const [one, two, both] = [new ShadowTally(), new ShadowTally(), new ShadowTally()];
  for (const [tally, times, ms] of [
    [one, 3, 10],
    [two, 1, 50],
  ] as const) {
    for (let i = 0; i < times; i++) {
      for (const each of [tally, both]) {
        each.drawn++;
        each.skip("busy");
        each.compared(comparison, { durationMs: ms, firstContentMs: undefined, cost: undefined });
      }
    }
  }
  expect(sumShadows([one.results(), two.results()])).toEqual(both.results());
  expect(both.results().durationDifferenceMs).toEqual({ mean: 20, of: 4 });
});
