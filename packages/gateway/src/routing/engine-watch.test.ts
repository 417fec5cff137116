import { expect, test } from "bun:test";
import { EngineWatch } from "./engine-watch.ts";

const load = (running: number | undefined, waiting?: number, kvUsage?: number) => ({ running, waiting, kvUsage });

test("an engine whose queue is not empty runs as many as it can: those are its slots", () => {
  const watch = new EngineWatch();
  watch.note(load(5, 0), undefined, 5, 1_000);
  expect(watch.slots(1_000)).toBeUndefined();
  watch.note(load(8, 3), undefined, 11, 6_000);
  expect(watch.slots(6_000)).toBe(8);
  watch.note(load(2, 0), undefined, 2, 11_000);
  expect(watch.slots(11_000)).toBe(8);
});

test("a full cache is a full engine, whatever waits", () => {
  const watch = new EngineWatch();
  watch.note(load(6, 0, 0.97), undefined, 6, 1_000);
  expect(watch.slots(1_000)).toBe(6);
});

test("slots that the engine told beat those it showed, and outlive the figures", () => {
  const watch = new EngineWatch();
  watch.note(load(3, 2), 16, 5, 1_000);
  expect(watch.slots(1_000)).toBe(16);
  watch.note(load(3, 2), undefined, 5, 6_000);
  expect(watch.slots(100_000)).toBe(16);
});

test("figures older than 30 seconds are ignored", () => {
  const watch = new EngineWatch();
  for (let i = 0; i < 4; i++) watch.note(load(8, 4), undefined, 2, 1_000 + i * 5_000);
  expect([watch.slots(46_000), watch.foreign(46_000), watch.waiting(46_000)]).toEqual([8, 10, 4]);
  expect([watch.slots(46_001), watch.foreign(46_001), watch.waiting(46_001)]).toEqual([undefined, 0, undefined]);
  expect(watch.ageMs(46_001)).toBe(30_001);
});

test("requests from elsewhere count only when four scrapes agree, for figures lag behind one's own requests", () => {
  const watch = new EngineWatch();
  for (const own of [9, 1, 1]) watch.note(load(9, 0), undefined, own, 1_000);
  expect(watch.foreign(1_000)).toBe(0);
  const steady = new EngineWatch();
  for (let i = 0; i < 4; i++) steady.note(load(9, 1), undefined, 4, 1_000 + i);
  expect(steady.foreign(1_004)).toBe(6);
  steady.note(load(4, 0), undefined, 4, 1_005);
  expect(steady.foreign(1_005)).toBe(0);
});

test("own requests that ended since the last scrape are not taken for somebody else's", () => {
  const falling = new EngineWatch();
  for (const [running, own] of [
    [9, 8],
    [8, 6],
    [6, 4],
    [4, 2],
  ] as const)
    falling.note(load(running), undefined, own, 1_000);
  expect(falling.foreign(1_000)).toBe(0);
});

test("after a gap, what was seen before it is forgotten: the engine may be another", () => {
  const watch = new EngineWatch();
  for (let i = 0; i < 4; i++) watch.note(load(8, 4), undefined, 2, 1_000);
  watch.note(load(3, 0), undefined, 3, 31_001);
  expect([watch.slots(31_001), watch.foreign(31_001)]).toEqual([undefined, 0]);
});

test("unknown is not zero: an engine that tells nothing teaches nothing", () => {
  const watch = new EngineWatch();
  for (let i = 0; i < 4; i++) watch.note(load(undefined), undefined, 2, 1_000);
  expect([watch.slots(1_000), watch.foreign(1_000), watch.waiting(1_000)]).toEqual([undefined, 0, undefined]);
});
