import { expect, test } from "bun:test";
import { apgrOf, callShareFor, type ModelPair, rankByScore, routerQuality, routingCurve } from "./router-metrics.ts";
import { seededRandom } from "./seeded-random.ts";

const pair = (weak: number[], strong: number[]): ModelPair => ({
  weak: Float64Array.from(weak),
  strong: Float64Array.from(strong),
});

/** The strong model is right on all ten, the weak one on all but the last two. */
const ten = pair([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], Array(10).fill(1));
const rising = Float64Array.from({ length: 10 }, (_, index) => index / 10);

test("an oracle's curve reaches the strong score with as few calls as prompts need it", () => {
  const curve = routingCurve(rankByScore(rising, 1), ten);
  expect(curve.map(({ score }) => score)).toEqual([0.8, 0.9, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  expect(curve[0]?.share).toBe(0);
  expect(curve.at(-1)?.share).toBe(1);
  // By hand: (0.085 + 0.095 + 8 × 0.1 − 0.8) / 0.2.
  expect(apgrOf(curve)).toBeCloseTo(0.9, 10);
  expect(callShareFor(curve, 0.5)).toBeCloseTo(0.1, 10);
  expect(callShareFor(curve, 0.8)).toBeCloseTo(0.16, 10);
});

test("a router that is wrong everywhere gets what the oracle does not", () => {
  const curve = routingCurve(rankByScore(rising.slice().reverse(), 1), ten);
  expect(apgrOf(curve)).toBeCloseTo(0.1, 10);
  expect(callShareFor(curve, 0.5)).toBeCloseTo(0.9, 10);
});

test("an oracle passes 1 where the weak model is better on some prompts", () => {
  // Strong is worth more on the last two and less on the first.
  const mixed = pair([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  expect(apgrOf(routingCurve(rankByScore(rising, 1), mixed))).toBeGreaterThan(1);
});

test("a constant score is a random router: half of the gap over many prompts", () => {
  const random = seededRandom(400);
  const size = 4_000;
  const weak = Array.from({ length: size }, () => (random() < 0.6 ? 1 : 0));
  const quality = routerQuality(new Float64Array(size).fill(0.4), [pair(weak, Array(size).fill(1))], 50);
  expect(Math.abs(quality.apgr - 0.5)).toBeLessThan(0.01);
  expect(Math.abs(quality.cpt50 - 0.5)).toBeLessThan(0.02);
  expect(Math.abs(quality.cpt80 - 0.8)).toBeLessThan(0.02);
  expect(quality.low).toBeLessThan(quality.apgr);
  expect(quality.high).toBeGreaterThan(quality.apgr);
  expect(quality.high - quality.low).toBeLessThan(0.05);
});

test("equal scores are ordered by the seed, not by their place in the file", () => {
  const equal = new Float64Array(50);
  expect([...rankByScore(equal, 1)]).not.toEqual([...rankByScore(equal, 2)]);
  expect([...rankByScore(equal, 1)]).toEqual([...rankByScore(equal, 1)]);
});

test("a bootstrap sample counts a prompt as often as it was drawn", () => {
  const twice = pair([0, 1], [1, 1]);
  const curve = routingCurve(Int32Array.from([1, 0]), twice, Uint8Array.from([3, 1]));
  expect(curve[0]?.score).toBeCloseTo(0.25, 10);
  expect(curve.at(-1)?.score).toBe(1);
  expect(curve).toHaveLength(11);
});
