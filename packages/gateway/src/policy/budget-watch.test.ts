import { expect, test } from "bun:test";
import { budget } from "../../test/fixtures/admission.ts";
import type { BudgetNotice } from "../core/budget.ts";
import { fromDollars, type NanoDollars } from "../core/money.ts";
import { BudgetBook } from "./budget-book.ts";
import { BudgetWatch, noticeMark } from "./budget-watch.ts";

const dayMs = 86_400_000;
const day = budget("day", { limit: fromDollars(10), notifyAt: [0.5, 0.8, 1] });

function watching() {
  const notices: BudgetNotice[] = [];
  const watch = new BudgetWatch((notice) => notices.push(notice));
  return { watch, told: () => notices.map(({ threshold }) => threshold) };
}

test("each threshold is told once a window, the highest of several passed at once", () => {
  const { watch, told } = watching();
  for (const dollars of [4.9, 5, 5.1, 9, 9.5, 10, 11]) watch.spent(day, fromDollars(dollars), 1_000);
  expect(told()).toEqual([0.5, 0.8, 1]);
  watch.spent(day, fromDollars(12), dayMs);
  expect(told()).toEqual([0.5, 0.8, 1, 1]);
});

test("a request that settles after its window was followed by another tells nothing of the old one", () => {
  const { watch, told } = watching();
  watch.spent(day, fromDollars(5), dayMs + 1);
  watch.spent(day, fromDollars(10), dayMs - 1);
  watch.spent(day, fromDollars(5.5), dayMs + 2);
  expect(told()).toEqual([0.5]);
});

test("what was spent before the process began counts as told", () => {
  const { watch, told } = watching();
  watch.resume(day, fromDollars(6), 1_000);
  watch.spent(day, fromDollars(7), 2_000);
  watch.spent(day, fromDollars(8), 3_000);
  expect(told()).toEqual([0.8]);
});

test("a refusal reaches the whole budget, whatever is settled", () => {
  const { watch, told } = watching();
  watch.refused(day, fromDollars(3), 1_000);
  watch.refused(day, fromDollars(3), 2_000);
  expect(told()).toEqual([1]);
});

test("a raised limit has its thresholds before it again", () => {
  const { watch, told } = watching();
  watch.spent(day, fromDollars(10), 1_000);
  const raised = { ...day, limit: fromDollars(20) };
  watch.sweep([raised]);
  watch.spent(raised, fromDollars(16), 2_000);
  expect(told()).toEqual([1, 0.8]);
});

test("a longer window tells its own thresholds, although it began before", () => {
  const { watch, told } = watching();
  watch.spent(day, fromDollars(5), 20 * dayMs);
  const month = { ...day, window: { kind: "calendar", unit: "month", timeZone: "UTC" } as const };
  watch.spent(month, fromDollars(8), 20 * dayMs);
  expect(told()).toEqual([0.5, 0.8]);
});

test("a rolling window tells a threshold again once a whole window has passed", () => {
  const { watch, told } = watching();
  const rolling = { ...day, window: { kind: "rolling", lengthMs: 3_600_000 } as const };
  watch.spent(rolling, fromDollars(5), 0);
  watch.spent(rolling, fromDollars(5), 3_599_999);
  watch.spent(rolling, fromDollars(5), 3_600_000);
  expect(told()).toEqual([0.5, 0.5]);
});

test("another scope or window is another account", () => {
  const accounts = [
    day,
    { ...day, scope: { kind: "team", value: "a" } as const },
    { ...day, window: { kind: "calendar", unit: "hour", timeZone: "UTC" } as const },
    { ...day, limit: fromDollars(11) },
  ].map((one) => new BudgetBook([one]).all[0]?.account);
  expect(new Set(accounts).size).toBe(3);
});

test("a notice is one for all replicas, and another one in the next window and after another limit", () => {
  const at = Date.UTC(2026, 0, 5, 12);
  const day = { windowStartMs: Date.UTC(2026, 0, 5), at };
  const mark = (more: object, notice: object = {}) =>
    noticeMark({ budget: budget("day", more), threshold: 0.5, spent: 1 as NanoDollars, ...day, ...notice });
  expect(mark({}, { at: at + 1 }).key).toBe(mark({}).key);
  const others = [
    mark({}, { threshold: 0.8 }),
    mark({}, { windowStartMs: Date.UTC(2026, 0, 6) }),
    mark({ limit: 7 as NanoDollars }),
  ];
  expect(new Set([mark({}), ...others].map(({ key }) => key)).size).toBe(4);
  // It outlives its window, for requests that settle late.
  expect(mark({}).ttlMs).toBe(13 * 3_600_000);
  // Each replica sees a rolling window begin at another time.
  const rolling = { window: { kind: "rolling", lengthMs: 7_200_000 } };
  expect(mark(rolling, { windowStartMs: 5 })).toEqual(mark(rolling));
  expect(mark(rolling).ttlMs).toBe(7_200_000);
});
