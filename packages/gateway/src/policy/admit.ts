import type { Exchange } from "../core/exchange.ts";
import type { Principal } from "../core/principal.ts";
import type { CounterStore } from "../ledger/counter-store.ts";
import { type Hold, openHold } from "../ledger/hold.ts";

/** Leave to run, with the reservation it was given on. */
export interface Admission {
  readonly principal: Principal;
  readonly hold: Hold;
}

/** Lets an exchange in and reserves the tokens it is predicted to use. */
export function admit(
  exchange: Exchange,
  principal: Principal,
  predictedTokens: number,
  counters: CounterStore,
): Admission {
  const scope = principal.keyId ?? "anonymous";
  return { principal, hold: openHold(counters, scope, predictedTokens, exchange.startedAt) };
}
