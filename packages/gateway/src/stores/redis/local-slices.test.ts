import { expect, test } from "bun:test";
import type { Charge } from "../../ledger/counter-store.ts";
import { LocalSlices } from "./local-slices.ts";

const minute = { kind: "sliding", lengthMs: 60_000 } as const;
const name = "s:60000:a";
const atMs = 1_700_000_000_000;

const one = (limit: number, more: Partial<Charge> = {}): Charge => ({
  account: "a",
  window: minute,
  amount: 1,
  limit,
  certain: true,
  ...more,
});

/** How many single requests pass at this time. */
function passed(slices: LocalSlices, limit: number, nowMs: number, more: Partial<Charge> = {}): number {
  let count = 0;
  while (count < 1_000 && slices.reserve([one(limit, more)], nowMs).ok) count++;
  return count;
}

/** One replica's view, for each place among so many. */
function everyPlace(replicas: number): LocalSlices[] {
  return Array.from({ length: replicas }, (_, place) => {
    const slices = new LocalSlices();
    slices.setShare({ place, replicas });
    return slices;
  });
}

test("the parts of all replicas together are what was left, whether it divides or not", () => {
  for (const [limit, settled, held] of [
    [30, 12, 0],
    [31, 12, 3],
    [1, 0, 0],
    [2, 0, 0],
    [5, 9, 0],
  ] as const) {
    const parts = everyPlace(3).map((slices) => {
      slices.see(name, { settled, held }, atMs);
      return passed(slices, limit, atMs + 1);
    });
    expect(parts.reduce((sum, part) => sum + part)).toBe(Math.max(0, limit - settled - held));
    expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
  }
});

test("once a window has passed, the parts are of the whole limit, and no earlier", () => {
  const [slices] = everyPlace(3) as [LocalSlices];
  slices.see(name, { settled: 30, held: 0 }, atMs);
  expect(passed(slices, 30, atMs + 61_000)).toBe(0);
  expect(passed(slices, 30, atMs + 61_001)).toBe(10);
  expect(passed(slices, 30, atMs + 61_002)).toBe(0);
  expect(passed(slices, 30, atMs + 61_002 + 61_000)).toBe(10);
});

test("what others were running is counted for as long as requests last, not only for a window", () => {
  const [slices] = everyPlace(2) as [LocalSlices];
  slices.see(name, { settled: 0, held: 10 }, atMs);
  const running = { certain: false };
  expect(passed(slices, 10, atMs + 300_000, running)).toBe(0);
  expect(passed(slices, 10, atMs + 600_001, running)).toBe(5);
});

test("a hold of before gives room when it ends, once", () => {
  const [slices] = everyPlace(2) as [LocalSlices];
  slices.see(name, { settled: 0, held: 10 }, atMs);
  const running = { certain: false };
  const mine = { charges: [one(10, { ...running, amount: 4 })], atMs, balances: [] };
  expect(slices.settle(mine, [0], atMs + 1)).toEqual([{ settled: 0, held: 6 }]);
  expect(passed(slices, 10, atMs + 2, running)).toBe(4);
  // Later its room is in the part of the whole limit already.
  const [late] = everyPlace(2) as [LocalSlices];
  late.see(name, { settled: 0, held: 10 }, atMs);
  late.settle(mine, [0], atMs + 1);
  expect(passed(late, 10, atMs + 600_001, running)).toBe(5);
});

test("a refusal speaks of the limit and of what all use, and always tells when to come again", () => {
  const [slices] = everyPlace(2) as [LocalSlices];
  slices.see(name, { settled: 7, held: 1 }, atMs);
  const refused = slices.reserve([one(10, { amount: 2 })], atMs + 1);
  expect(refused).toMatchObject({
    ok: false,
    refusal: { charge: { limit: 10, amount: 2 }, balance: { settled: 7, held: 1 }, retryAfterMs: 1_000 },
  });
  const never = slices.reserve([one(10, { amount: 11 })], atMs + 1);
  expect(never.ok || never.refusal.retryAfterMs).toBeUndefined();
});

test("what was seen is bounded", () => {
  const slices = new LocalSlices();
  for (let i = 0; i < 25_000; i++) slices.see(`s:60000:${i}`, { settled: 1, held: 0 }, atMs);
  expect(slices.read("0", minute, atMs).settled).toBe(0);
  expect(slices.read("24999", minute, atMs).settled).toBe(1);
});
