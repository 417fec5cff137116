import { expect, test } from "bun:test";
import { counterStoreContract } from "../../../test/contract/counter-store.ts";
import { MemoryCounterStore } from "./memory-counter-store.ts";

counterStoreContract("memory", () => new MemoryCounterStore());

const hour = { kind: "sliding", lengthMs: 3_600_000 } as const;

test("accounts are bounded: the oldest leaves, but never one that holds something", () => {
  const store = new MemoryCounterStore(3);
  store.reserve([{ account: "held", window: hour, amount: 1, limit: 9 }], 0);
  for (let i = 0; i < 100; i++) store.book(`other-${i}`, hour, 1, i);
  expect(store.size).toBe(3);
  expect(store.read("held", hour, 100)).toEqual({ settled: 0, held: 1 });
});

test("windows that are over leave when their account is used again", () => {
  const store = new MemoryCounterStore();
  for (let day = 0; day < 1_000; day++) {
    const window = { kind: "fixed", startMs: day * 10, endMs: day * 10 + 10 } as const;
    store.book("a", window, 1, day * 10);
  }
  expect(store.read("a", { kind: "fixed", startMs: 0, endMs: 10 }, 9_999)).toEqual({ settled: 0, held: 0 });
  expect(store.read("a", { kind: "fixed", startMs: 9_990, endMs: 10_000 }, 9_999)).toEqual({ settled: 1, held: 0 });
});
