import type { Balance, Reservation } from "../ledger/counter-store.ts";
import type { ActiveLimit } from "./rate-limit-book.ts";

export interface Remaining {
  readonly limit: number;
  readonly remaining: number;
}

/** The client's tightest limits after a reservation. */
export interface RateLimitState {
  readonly requests: Remaining | undefined;
  readonly tokens: Remaining | undefined;
}

/** Reads from a reservation what is left, of several limits the tightest. */
export function rateLimitState(limits: readonly ActiveLimit[], { charges, balances }: Reservation): RateLimitState {
  const left = (account: (limit: ActiveLimit) => string): Remaining | undefined => {
    const names = new Set(limits.map(account));
    let tightest: Remaining | undefined;
    for (const [i, charge] of charges.entries()) {
      if (!names.has(charge.account)) continue;
      const remaining = remainingOf(charge.limit, balances[i]);
      if (tightest === undefined || remaining < tightest.remaining) tightest = { limit: charge.limit, remaining };
    }
    return tightest;
  };
  return { requests: left(({ requests }) => requests), tokens: left(({ tokens }) => tokens) };
}

function remainingOf(limit: number, balance: Balance | undefined): number {
  return Math.max(0, limit - (balance === undefined ? 0 : balance.settled + balance.held));
}
