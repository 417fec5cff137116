import { expect, test } from "bun:test";
import { RecentQuantile } from "./recent-quantile.ts";
import { TryBudgets } from "./try-budgets.ts";

const limits = { share: 0.2, minPerSecond: 3 };

function retriesLeft(budgets: TryBudgets, nowMs: number): number {
  let taken = 0;
  while (budgets.takeRetry("a", limits, nowMs)) taken++;
  return taken;
}

test("a quiet upstream may be retried as often as the least allows", () => {
  expect(retriesLeft(new TryBudgets(), 0)).toBe(30);
});

test("a busy one gets a share of its first tries more", () => {
  const budgets = new TryBudgets();
  for (let i = 0; i < 1_000; i++) budgets.noteFirst("a", 0);
  expect(retriesLeft(budgets, 0)).toBe(230);
});

test("what was spent is forgotten as time goes by", () => {
  const budgets = new TryBudgets();
  retriesLeft(budgets, 0);
  expect(budgets.takeRetry("a", limits, 0)).toBe(false);
  expect(retriesLeft(budgets, 10_000)).toBeGreaterThan(15);
});

test("upstreams count apart, and those that are gone are forgotten", () => {
  const budgets = new TryBudgets();
  retriesLeft(budgets, 0);
  expect(budgets.takeRetry("b", limits, 0)).toBe(true);
  budgets.sweep(new Set(["b"]));
  expect(retriesLeft(budgets, 0)).toBe(30);
});

test("hedges are never more than their share of the requests so far", () => {
  const budgets = new TryBudgets();
  let hedges = 0;
  for (let requests = 1; requests <= 1_000; requests++) {
    budgets.noteHedgeable({ maxShare: 0.05, minDelayMs: 0 });
    if (budgets.takeHedge()) hedges++;
    expect(hedges).toBeLessThanOrEqual(requests * 0.05 + 1e-6);
  }
  expect(hedges).toBe(50);
});

test("a quantile is one of the last values, and unknown while there are few", () => {
  const recent = new RecentQuantile(100);
  for (let i = 1; i <= 19; i++) recent.note(i);
  expect(recent.at(0.95, 20)).toBeUndefined();
  for (let i = 20; i <= 100; i++) recent.note(i);
  expect(recent.at(0.95, 20)).toBe(95);
  for (let i = 0; i < 100; i++) recent.note(7);
  expect(recent.at(0.95, 20)).toBe(7);
});
