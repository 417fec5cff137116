import type { Budget, BudgetNotice } from "../core/budget.ts";
import type { NanoDollars } from "../core/money.ts";
import { countWindow } from "../ledger/budget-window.ts";

interface Seen {
  readonly windowStartMs: number;
  /** The highest threshold that was told in this window. */
  readonly told: number;
}

/** Tells once per window and threshold that a budget's spending reached it. Bounded by the number of budgets. */
export class BudgetWatch {
  readonly #seen = new Map<string, Seen>();
  readonly #tell: (notice: BudgetNotice) => void;

  constructor(tell: (notice: BudgetNotice) => void) {
    this.#tell = tell;
  }

  /** Settled spending changed. Several thresholds passed at once are one notice, of the highest. */
  spent(budget: Budget, spent: NanoDollars, atMs: number): void {
    // Every request comes here, and few find anything reached.
    if (spent < (budget.notifyAt[0] ?? Number.POSITIVE_INFINITY) * budget.limit) return;
    const reached = budget.notifyAt.findLast((threshold) => spent >= threshold * budget.limit);
    if (reached !== undefined) this.#reach(budget, reached, spent, atMs, true);
  }

  /** A request found no room: held and spent together reached the limit. */
  refused(budget: Budget, spent: NanoDollars, atMs: number): void {
    if (budget.notifyAt.includes(1)) this.#reach(budget, 1, spent, atMs, true);
  }

  /** What was spent before this process began counts as told. */
  resume(budget: Budget, spent: NanoDollars, atMs: number): void {
    const reached = budget.notifyAt.findLast((threshold) => spent >= threshold * budget.limit);
    if (reached !== undefined) this.#reach(budget, reached, spent, atMs, false);
  }

  /** Forgets budgets that are gone. */
  sweep(budgets: readonly Budget[]): void {
    const known = new Set(budgets.map(keyOf));
    for (const key of this.#seen.keys()) if (!known.has(key)) this.#seen.delete(key);
  }

  #reach(budget: Budget, threshold: number, spent: NanoDollars, atMs: number, tell: boolean): void {
    const window = countWindow(budget.window, atMs);
    const key = keyOf(budget);
    // A rolling window never begins anew: a threshold is told again once a whole window has passed.
    const seen = this.#seen.get(key);
    const windowStartMs =
      window.kind === "fixed"
        ? window.startMs
        : seen !== undefined && atMs - seen.windowStartMs < window.lengthMs
          ? seen.windowStartMs
          : atMs;
    // A request may settle after its window is over, when the next one was already told of.
    if (seen !== undefined && seen.windowStartMs > windowStartMs) return;
    if (seen?.windowStartMs === windowStartMs && seen.told >= threshold) return;
    this.#seen.set(key, { windowStartMs, told: threshold });
    if (tell) this.#tell({ budget, threshold, spent, windowStartMs, at: atMs });
  }
}

/** What is one notice for all replicas, and for how long: one of them is to tell it. */
export function noticeMark({ budget, threshold, windowStartMs, at }: BudgetNotice): { key: string; ttlMs: number } {
  const window = countWindow(budget.window, at);
  const key = `notice:${keyOf(budget)}:${threshold}`;
  // The windows of a rolling budget begin in each replica when it saw the threshold.
  if (window.kind === "sliding") return { key, ttlMs: window.lengthMs };
  return { key: `${key}:${windowStartMs}`, ttlMs: Math.max(0, window.endMs - at) + lateMs };
}

/** A request may settle after its window is over. */
const lateMs = 3_600_000;

/** A budget that was given another limit or window has its thresholds before it again. */
function keyOf({ id, limit, window }: Budget): string {
  return `${id} ${limit} ${window.kind === "rolling" ? window.lengthMs : `${window.unit} ${window.timeZone}`}`;
}
