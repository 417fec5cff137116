import type { NanoDollars } from "../core/money.ts";

/** Where a budget stands in its window. */
export interface BudgetPosition {
  readonly spent: NanoDollars;
  /** Reserved for requests that run. */
  readonly held: NanoDollars;
  /** Milliseconds since 1970. */
  readonly windowStartMs: number;
  /** Undefined for rolling windows. */
  readonly windowEndMs: number | undefined;
}

/** Tells where budgets stand, from the same counters that admission asks. */
export interface BudgetStatus {
  /** Undefined for a budget that is not in force. */
  position(budgetId: string): BudgetPosition | undefined | Promise<BudgetPosition | undefined>;
}
