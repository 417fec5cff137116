import { expect, test } from "bun:test";
import { LatencyWindow } from "./latency-window.ts";
import { PrefillLine } from "./prefill-line.ts";

test("what was never measured is unknown, not zero", () => {
  const window = new LatencyWindow();
  expect([window.ttftMs, window.endToEndMs, window.tokensPerSecond]).toEqual([undefined, undefined, undefined]);
  expect(window.errorRate(0)).toBe(0);
});

test("the first samples count alike, later ones fade, and a change is followed", () => {
  const window = new LatencyWindow();
  for (const ms of [100, 200, 300]) window.noteFirstToken(ms);
  expect(window.ttftMs).toBeCloseTo(200);
  for (let i = 0; i < 100; i++) window.noteFirstToken(1_000);
  expect(window.ttftMs).toBeGreaterThan(990);
});

test("a stream's speed counts the tokens after its first one, and short streams say nothing", () => {
  const window = new LatencyWindow();
  window.noteStream(3, 5_000);
  expect(window.tokensPerSecond).toBeUndefined();
  window.noteStream(101, 2_000);
  expect(window.tokensPerSecond).toBeCloseTo(50);
});

test("errors fade with time as well as with successes", () => {
  const window = new LatencyWindow();
  for (let i = 0; i < 9; i++) window.noteOutcome(true, 1_000);
  expect(window.errorRate(1_000)).toBeCloseTo(0.9);
  expect(window.errorRate(61_000)).toBeCloseTo(4.5 / 5.5);
  expect(window.errorRate(1_801_000)).toBeLessThan(0.001);
  for (let i = 0; i < 30; i++) window.noteOutcome(false, 61_000);
  expect(window.errorRate(61_000)).toBeLessThan(0.2);
});

test("one failure is not a rate of one", () => {
  const window = new LatencyWindow();
  window.noteOutcome(true, 0);
  expect(window.errorRate(0)).toBe(0.5);
});

test("an engine whose first answer paid for loading the model is known to be fast after the next one", () => {
  const line = new PrefillLine();
  line.learn(100, 10_000);
  line.learn(100, 80);
  expect(line.at(100)).toBeLessThan(1_200);
  line.learn(100, 80);
  line.learn(100, 80);
  expect(line.at(100)).toBeLessThan(400);
});

test("one answer that is far too late among many moves a prefill line little", () => {
  const line = new PrefillLine();
  for (let i = 0; i < 40; i++) line.learn(100, 100);
  line.learn(100, 60_000);
  expect(line.at(100)).toBeLessThan(120);
  for (let i = 0; i < 60; i++) line.learn(100, 1_000);
  expect(line.at(100)).toBeGreaterThan(700);
});

test("a prefill line never gives less for more tokens, nor anything below zero", () => {
  const falling = new PrefillLine();
  for (let i = 0; i < 20; i++) {
    falling.learn(100, 500);
    falling.learn(1_000, 100);
  }
  expect(falling.at(5_000)).toBeCloseTo(falling.at(0) ?? Number.NaN);
  const steep = new PrefillLine();
  for (let i = 0; i < 20; i++) {
    steep.learn(1_000, 100);
    steep.learn(2_000, 1_000);
  }
  expect(steep.at(0)).toBe(0);
  expect(steep.at(2_000)).toBeGreaterThan(600);
});
