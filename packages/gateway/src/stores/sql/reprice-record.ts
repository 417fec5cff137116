import type { AttemptRecord, ExchangeRecord } from "../../core/exchange-record.ts";
import { costOf } from "../../core/price.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { PriceBook } from "../../ledger/price-book.ts";

function hasTokens(usage: TokenUsage): boolean {
  return usage.inputTokens > 0 || usage.outputTokens > 0;
}

function repriceAttempt(attempt: AttemptRecord, atMs: number, prices: PriceBook): AttemptRecord {
  // A try that used nothing and cost nothing was not served: a price per request is not owed for it.
  if (!hasTokens(attempt.usage) && attempt.cost === undefined) return attempt;
  const price = prices.priceOf(attempt, atMs);
  if (price === undefined) return attempt;
  return { ...attempt, cost: costOf(attempt.usage, price), priceVersion: price.version };
}

/** The same exchange with the prices its time has in `prices`; what those do not know stays as it was. */
export function repriceRecord(record: ExchangeRecord, prices: PriceBook): ExchangeRecord {
  const attempts = record.attempts.map((attempt) => repriceAttempt(attempt, record.at, prices));
  const costs = attempts.flatMap(({ cost }) => cost ?? []);
  const reference = prices.referencePrice(record.at);
  const last = attempts.at(-1);
  // As at settlement: only what an answer used is compared.
  const answer = last?.target === record.served?.target ? last : undefined;
  const referred = reference !== undefined && answer !== undefined && answer.usage.outputTokens > 0;
  return {
    ...record,
    attempts,
    cost: costs.length === 0 ? undefined : costs.reduce((sum, cost) => sum + cost, 0),
    unpriced: attempts.some(({ cost, usage }) => cost === undefined && hasTokens(usage)),
    referenceCost: referred ? costOf(answer.usage, reference) : record.referenceCost,
    referenceVersion: referred ? reference.version : record.referenceVersion,
  };
}
