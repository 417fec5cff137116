import { expect, test } from "bun:test";
import fc from "fast-check";
import { type SettleSpill, SpillCap } from "./spill-cap.ts";

const hour = 3_600_000;

test("without a cap everything is admitted, priced or not", () => {
  const cap = new SpillCap();
  expect(cap.admits(1e6, 0)).toBe(true);
  expect(cap.hold(Number.POSITIVE_INFINITY, 0)).toBeDefined();
});

test("what nobody can price never fits a cap", () => {
  expect(new SpillCap(1_000).hold(Number.POSITIVE_INFINITY, 0)).toBeUndefined();
});

test("requests that run at once cannot pass the cap together", () => {
  const cap = new SpillCap(1);
  const holds = Array.from({ length: 20 }, () => cap.hold(0.1, 0));
  expect(holds.filter((hold) => hold !== undefined)).toHaveLength(10);
  expect(cap.admits(1e-9, 0)).toBe(false);
});

test("settling replaces the hold by the cost, once", () => {
  const cap = new SpillCap(1);
  const settle = cap.hold(0.9, 0);
  settle?.(0.25, 10);
  settle?.(0.25, 20);
  expect(cap.usedUsd(20)).toBe(0.25);
});

test("a dollar counts for a whole hour, and no longer than a minute more", () => {
  const cap = new SpillCap(1);
  cap.hold(1, 59_999)?.(1, 59_999);
  expect(cap.admits(0.01, 59_999 + hour)).toBe(false);
  expect(cap.admits(1, 59_999 + hour + 60_000)).toBe(true);
});

test("a hold that is open for longer than an hour still counts, and so does what it cost then", () => {
  const cap = new SpillCap(1);
  const settle = cap.hold(1, 0);
  expect(cap.admits(0.01, 5 * hour)).toBe(false);
  settle?.(1, 5 * hour);
  expect(cap.admits(0.01, 5 * hour + hour / 2)).toBe(false);
  expect(cap.admits(1, 6 * hour + 60_000)).toBe(true);
});

test("another cap holds at once and forgets nothing", () => {
  const cap = new SpillCap(10);
  cap.hold(5, 0)?.(5, 0);
  cap.setCap(5);
  expect(cap.admits(0.01, 0)).toBe(false);
  cap.setCap(6);
  expect(cap.admits(1, 0)).toBe(true);
});

const step = fc.record({
  kind: fc.constantFrom("hold", "settle", "settle") as fc.Arbitrary<"hold" | "settle">,
  nano: fc.integer({ min: 0, max: 500_000_000 }),
  which: fc.nat(),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  waitMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: hour })),
});

test("whatever the order of holds and settlements, no hour costs more than the cap and nothing that fits is refused", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const capNano = 1_000_000_000;
      const cap = new SpillCap(1);
      const open: { nano: number; settle: SettleSpill }[] = [];
      const settled: { nano: number; atMs: number }[] = [];
      let nowMs = 0;
      const sumSince = (ms: number): number =>
        settled.reduce((sum, { nano, atMs }) => sum + (nowMs - atMs <= ms ? nano : 0), 0);
      for (const { kind, nano, which, share, waitMs } of steps) {
        nowMs += waitMs;
        if (kind === "hold") {
          const held = open.reduce((sum, hold) => sum + hold.nano, 0);
          const settle = cap.hold(nano / 1e9, nowMs);
          if (settle !== undefined) open.push({ nano, settle });
          // Surely within the hour, and surely not any more after the minute that follows it.
          if (settle !== undefined) expect(held + nano + sumSince(hour)).toBeLessThanOrEqual(capNano);
          else expect(held + nano + sumSince(hour + 60_000)).toBeGreaterThan(capNano);
        } else if (open.length > 0) {
          const [hold] = open.splice(which % open.length, 1);
          if (hold === undefined) continue;
          const cost = Math.floor(hold.nano * share);
          hold.settle(cost / 1e9, nowMs);
          settled.push({ nano: cost, atMs: nowMs });
        }
      }
    }),
    { seed: 11, numRuns: 300 },
  );
});
