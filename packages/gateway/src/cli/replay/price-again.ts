import type { Deployment } from "../../core/deployment.ts";
import { toDollars } from "../../core/money.ts";
import { costOf } from "../../core/price.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { PriceBook } from "../../ledger/price-book.ts";
import type { RecordedAttempt, RecordedRequest } from "./recorded-request.ts";

/** US dollars of a request as it went and as it would go; undefined where tokens or price are unknown. */
export interface PricedAgain {
  readonly before: number | undefined;
  readonly after: number | undefined;
}

const hasTokens = ({ inputTokens, outputTokens }: TokenUsage): boolean => inputTokens + outputTokens > 0;

/**
 * Prices both sides with one price book at the time of the request: what each recorded attempt used where it went, and
 * what the answer used at the new target. What the book does not know any more costs what was recorded.
 */
export function priceAgain(
  request: RecordedRequest,
  after: { readonly target: Deployment | undefined; readonly isMoved: boolean },
  prices: PriceBook,
): PricedAgain {
  const before = priceAttempts(request, prices);
  if (!after.isMoved) return { before, after: before };
  if (after.target === undefined) return { before, after: 0 };
  const answered = request.attempts.findLast(({ error, usage }) => error === undefined && usage && hasTokens(usage));
  const { upstream, model } = after.target;
  const price = prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, request.atMs);
  if (answered?.usage === undefined || price === undefined) return { before, after: undefined };
  return { before, after: toDollars(costOf(answered.usage, price)) };
}

function priceAttempts({ attempts, atMs }: RecordedRequest, prices: PriceBook): number | undefined {
  let sum = 0;
  for (const attempt of attempts) {
    const cost = priceAttempt(attempt, atMs, prices);
    if (cost === undefined) return undefined;
    sum += cost;
  }
  return sum;
}

function priceAttempt(attempt: RecordedAttempt, atMs: number, prices: PriceBook): number | undefined {
  const { usage, upstream, provider, model, costUsd } = attempt;
  if (usage === undefined) return undefined;
  if (!hasTokens(usage)) return costUsd ?? 0;
  const known = upstream !== undefined && provider !== undefined && model !== undefined;
  const price = known ? prices.priceOf({ upstream, provider, model }, atMs) : undefined;
  return price === undefined ? costUsd : toDollars(costOf(usage, price));
}
