import { expect, test } from "bun:test";
import { OwnCounts } from "./own-counts.ts";

const day = { kind: "fixed", startMs: 0, endMs: 86_400_000 } as const;
const minute = { kind: "sliding", lengthMs: 60_000 } as const;

test("sums are kept, not requests: a long outage costs as much memory as there are counters and steps", () => {
  const own = new OwnCounts();
  for (let i = 0; i < 1_000; i++) {
    own.owe("a", day, 2, i);
    own.owe("b", minute, 1, i * 6);
    own.hold("a", day, 3);
  }
  expect(own.size).toBe(1 + 6 + 1);
  const changes = own.takeAll(9);
  expect(changes).toContainEqual({ account: "a", window: day, atMs: 9, settled: 0, held: 3_000 });
  expect(changes).toContainEqual({ account: "a", window: day, atMs: 0, settled: 2_000, held: 0 });
  expect(changes.filter(({ account }) => account === "b").reduce((sum, { settled }) => sum + settled, 0)).toBe(1_000);
});

test("what changes while the store is told is told next, holds that ended too", () => {
  const own = new OwnCounts();
  own.hold("ends", day, 5);
  own.hold("stays", day, 7);
  expect(own.takeAll(1)).toHaveLength(2);
  expect(own.takeNew(2)).toEqual([]);
  own.hold("ends", day, -5);
  own.hold("begins", day, 2);
  own.owe("ends", day, 4, 3);
  expect(own.takeNew(3, true)).toEqual([
    { account: "begins", window: day, atMs: 3, settled: 0, held: 2 },
    { account: "ends", window: day, atMs: 3, settled: 0, held: -5 },
    { account: "ends", window: day, atMs: 3, settled: 4, held: 0 },
  ]);
  own.hold("begins", day, -2);
  own.hold("stays", day, -7);
  expect(own.size).toBe(0);
});

test("what the ledger will tell is not owed", () => {
  const own = new OwnCounts();
  own.owe("budget", day, 4, 3);
  own.owe("limit", minute, 1, 3);
  own.forgive((account) => account === "budget");
  expect(own.takeAll(4).map(({ account }) => account)).toEqual(["limit"]);
});

test("what is owed is bounded; the oldest is lost first", () => {
  const own = new OwnCounts();
  for (let i = 0; i < 60_000; i++) own.owe(`a${i}`, day, 1, 0);
  const owed = own.takeAll(1);
  expect(owed).toHaveLength(50_000);
  expect(owed.at(-1)?.account).toBe("a59999");
});
