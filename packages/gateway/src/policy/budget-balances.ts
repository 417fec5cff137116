import type { NanoDollars } from "../core/money.ts";
import type { BudgetPosition, BudgetStatus } from "../ledger/budget-status.ts";
import { countWindow } from "../ledger/budget-window.ts";
import type { Balance, CounterStore } from "../ledger/counter-store.ts";
import type { Clock } from "../lib/clock.ts";
import type { BudgetBook } from "./budget-book.ts";

/** Reads where budgets stand from the counters that admission asks. */
export function budgetBalances(budgets: BudgetBook, counters: CounterStore, clock: Clock): BudgetStatus {
  return {
    position(budgetId) {
      const active = budgets.all.find(({ budget }) => budget.id === budgetId);
      if (active === undefined) return undefined;
      const nowMs = clock.now();
      const window = countWindow(active.budget.window, nowMs);
      const told = ({ settled, held }: Balance): BudgetPosition => ({
        spent: settled as NanoDollars,
        held: held as NanoDollars,
        windowStartMs: window.kind === "fixed" ? window.startMs : nowMs - window.lengthMs,
        windowEndMs: window.kind === "fixed" ? window.endMs : undefined,
      });
      const balance = counters.read(active.account, window, nowMs);
      return balance instanceof Promise ? balance.then(told) : told(balance);
    },
  };
}
