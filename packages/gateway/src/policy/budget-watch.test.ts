import { expect, test } from "bun:test";
import { budget } from "../../test/fixtures/admission.ts";
import type { Budget, BudgetNotice } from "../core/budget.ts";
import { fromDollars } from "../core/money.ts";
import { BudgetWatch } from "./budget-watch.ts";

const noon = Date.UTC(2026, 10, 20, 12);
const dayMs = 86_400_000;
const calendar = (unit: "day" | "month"): Budget["window"] => ({ kind: "calendar", unit, timeZone: "UTC" });

function watched(more: Partial<Budget> = {}) {
  const told: BudgetNotice[] = [];
  const watch = new BudgetWatch((notice) => told.push(notice));
  const watchedBudget = budget("b", { limit: fromDollars(100), notifyAt: [0.5, 0.8, 1], ...more });
  return { watch, one: watchedBudget, told: () => told.splice(0).map(({ threshold }) => threshold) };
}

test("each threshold is told once a window, and again in the next", () => {
  const { watch, one, told } = watched();
  for (const dollars of [49, 50, 60, 79, 80, 99, 100, 150]) watch.spent(one, fromDollars(dollars), noon);
  expect(told()).toEqual([0.5, 0.8, 1]);
  watch.refused(one, fromDollars(150), noon);
  expect(told()).toEqual([]);
  watch.spent(one, fromDollars(50), noon + dayMs);
  expect(told()).toEqual([0.5]);
});

test("of several thresholds that are passed at once the highest is told", () => {
  const { watch, one, told } = watched();
  watch.spent(one, fromDollars(90), noon);
  expect(told()).toEqual([0.8]);
});

test("a request that settles after its window does not speak for the next one", () => {
  const { watch, one, told } = watched();
  watch.spent(one, fromDollars(50), noon + dayMs);
  watch.spent(one, fromDollars(100), noon);
  expect(told()).toEqual([0.5]);
});

test("what was spent before this process began is not told again", () => {
  const { watch, one, told } = watched();
  watch.resume(one, fromDollars(85), noon);
  watch.spent(one, fromDollars(90), noon);
  expect(told()).toEqual([]);
  watch.spent(one, fromDollars(100), noon);
  expect(told()).toEqual([1]);
});

test("a budget that gets a longer window tells its thresholds there", () => {
  const { watch, one, told } = watched({ window: calendar("day") });
  watch.spent(one, fromDollars(50), noon);
  expect(told()).toEqual([0.5]);
  const month = { ...one, window: calendar("month") };
  watch.spent(month, fromDollars(80), noon);
  expect(told()).toEqual([0.8]);
});

test("a budget that is raised tells the thresholds of its new limit", () => {
  const { watch, one, told } = watched();
  watch.spent(one, fromDollars(100), noon);
  expect(told()).toEqual([1]);
  const raised = { ...one, limit: fromDollars(200) };
  for (const dollars of [150, 159, 160, 161]) watch.spent(raised, fromDollars(dollars), noon);
  expect(told()).toEqual([0.5, 0.8]);
});

test("a rolling window tells a threshold again after its whole length", () => {
  const { watch, one, told } = watched({ window: { kind: "rolling", lengthMs: dayMs } });
  watch.spent(one, fromDollars(50), noon);
  watch.spent(one, fromDollars(55), noon + dayMs - 1);
  expect(told()).toEqual([0.5]);
  watch.spent(one, fromDollars(55), noon + dayMs);
  expect(told()).toEqual([0.5]);
});
