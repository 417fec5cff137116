import type { Balance, Charge, Reservation } from "../ledger/counter-store.ts";
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

/** Reads from a reservation of `limitCharges` what is left, of several limits the tightest. */
export function rateLimitState(limits: readonly ActiveLimit[], { charges, balances }: Reservation): RateLimitState {
  let requests: Remaining | undefined;
  let tokens: Remaining | undefined;
  for (let i = 0; i < charges.length; i++) {
    const charge = charges[i]!;
    for (const limit of limits) {
      if (charge.account === limit.requests) requests = tighter(requests, charge, balances[i]);
      else if (charge.account === limit.tokens) tokens = tighter(tokens, charge, balances[i]);
    }
  }
  return { requests, tokens };
}

function tighter(known: Remaining | undefined, { limit }: Charge, balance: Balance | undefined): Remaining {
  const remaining = Math.max(0, limit - (balance === undefined ? 0 : balance.settled + balance.held));
  return known !== undefined && known.remaining <= remaining ? known : { limit, remaining };
}
