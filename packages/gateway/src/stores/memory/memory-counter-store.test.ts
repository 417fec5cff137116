import { expect, test } from "bun:test";
import { counterStoreContract } from "../../../test/contract/counter-store.ts";
import { MemoryCounterStore } from "./memory-counter-store.ts";

counterStoreContract("memory", () => new MemoryCounterStore());

const minute = { kind: "sliding", lengthMs: 60_000 } as const;
const hour = { kind: "sliding", lengthMs: 3_600_000 } as const;

test("accounts are bounded: the longest untouched leaves, but never one that holds something", () => {
  const store = new MemoryCounterStore(3);
  store.reserve([{ account: "held", window: minute, amount: 1, limit: 9 }], 0);
  store.book("used", minute, 1, 0);
  store.book("old", minute, 1, 0);
  store.book("old", minute, 1, 1_000);
  store.book("used", minute, 1, 5_000);
  store.book("new", minute, 1, 6_000);
  expect(store.size).toBe(3);
  expect(store.read("used", minute, 6_000).settled).toBe(2);
  expect(store.read("old", minute, 6_000).settled).toBe(0);
  for (let i = 0; i < 100; i++) store.book(`other-${i}`, minute, 1, 10_000 + i);
  expect(store.size).toBe(3);
  expect(store.read("held", minute, 10_100)).toEqual({ settled: 0, held: 1 });
});

test("what a budget counts stays, however many clients come", () => {
  const store = new MemoryCounterStore(10);
  const day = { kind: "fixed", startMs: 0, endMs: 86_400_000 } as const;
  store.book("budget", day, 100, 0);
  store.book("rolling budget", hour, 100, 0);
  for (let i = 0; i < 1_000; i++) store.book(`client-${i}`, minute, 1, i);
  expect(store.read("budget", day, 1_000)).toEqual({ settled: 100, held: 0 });
  expect(store.read("rolling budget", hour, 1_000)).toEqual({ settled: 100, held: 0 });
  expect(store.size).toBe(10);
});

test("a window that is over keeps its sum for requests that arrived in it, and leaves a day later", () => {
  const store = new MemoryCounterStore();
  const hourOf = (n: number) => ({ kind: "fixed", startMs: n * 3_600_000, endMs: (n + 1) * 3_600_000 }) as const;
  const full = { account: "a", window: hourOf(0), amount: 100, limit: 100 };
  const reserved = store.reserve([full], 3_599_000);
  if (reserved.ok) store.settle(reserved.reservation, [100]);
  store.book("a", hourOf(1), 1, 3_600_000);
  expect(store.reserve([full], 3_599_500).ok).toBe(false);
  for (let n = 2; n < 30; n++) store.book("a", hourOf(n), 1, n * 3_600_000);
  expect(store.read("a", hourOf(0), 30 * 3_600_000).settled).toBe(0);
  expect(store.read("a", hourOf(20), 30 * 3_600_000).settled).toBe(1);
});
