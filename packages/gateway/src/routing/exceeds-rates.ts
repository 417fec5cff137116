import type { Features } from "../core/decision.ts";
import { toDollars } from "../core/money.ts";
import { type Price, rateFor } from "../core/price.ts";
import type { MaxPrice } from "../core/routing-wish.ts";

/** Whole pico-dollars a token in US dollars per million tokens. */
const picoPerMillionDollars = 1_000_000;

/** Whether a price has a rate above the client's, for a prompt of this size. */
export function exceedsRates(price: Price, { inputTokens }: Features, max: MaxPrice | undefined): boolean {
  if (max === undefined) return false;
  const over = (rate: number, most: number | undefined): boolean => most !== undefined && rate > most;
  return (
    over(rateFor(price.input, inputTokens) / picoPerMillionDollars, max.prompt) ||
    over(rateFor(price.output, inputTokens) / picoPerMillionDollars, max.completion) ||
    over(price.perRequest === undefined ? 0 : toDollars(price.perRequest), max.request)
  );
}
