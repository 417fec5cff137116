import type { Exchange, Outcome } from "../core/exchange.ts";
import { addMoney, type NanoDollars, noMoney } from "../core/money.ts";
import { costOf } from "../core/price.ts";
import { addUsage, noUsage } from "../core/usage.ts";
import type { LedgerStore } from "../ledger/ledger-store.ts";
import { meterAttempt } from "../ledger/meter-attempt.ts";
import type { PriceBook } from "../ledger/price-book.ts";
import type { Admission } from "../policy/admission.ts";
import type { DecisionRing } from "../telemetry/decision-ring.ts";
import { exchangeRecord } from "../telemetry/exchange-record.ts";
import type { Sink } from "../telemetry/sink.ts";

declare const settledMark: unique symbol;

/** Proof that an exchange was accounted for. Only `settle` makes one, so a path that forgets it does not compile. */
export interface Settlement {
  readonly [settledMark]: true;
}

/** Where settled exchanges go. */
export interface Accounts {
  readonly ledger: LedgerStore;
  readonly sinks: readonly Sink[];
  readonly prices: PriceBook;
  readonly decisions: DecisionRing;
}

/** What the answer's tokens would have cost on the reference cloud model. */
function referenceCost(exchange: Exchange, prices: PriceBook): { cost: NanoDollars; version: string } | undefined {
  const last = exchange.attempts.at(-1);
  if (last === undefined || last.target !== exchange.served || last.usage.outputTokens === 0) return undefined;
  const price = prices.referencePrice(exchange.startedAt);
  return price && { cost: costOf(last.usage, price), version: price.version };
}

/**
 * Ends an exchange, exactly once: usage, cost, hold, ledger, sinks. Every attempt has ended by then. A second call changes
 * nothing. Synchronous; never throws.
 */
export function settle(
  exchange: Exchange,
  admission: Admission | undefined,
  outcome: Outcome,
  { ledger, sinks, prices, decisions }: Accounts,
): Settlement {
  const proof = {} as Settlement;
  if (exchange.outcome !== undefined) return proof;
  exchange.outcome = outcome;
  for (const attempt of exchange.attempts) {
    // Given up by the client this moment: it ends right after.
    if (attempt.endedMs === undefined) meterAttempt(attempt, exchange.decision?.features, false);
    const { usage, usageEstimated, cost } = attempt;
    exchange.usage = exchange.usage === noUsage ? usage : addUsage(exchange.usage, usage);
    exchange.usageEstimated ||= usageEstimated;
    if (cost !== undefined) exchange.cost = addMoney(exchange.cost ?? noMoney, cost);
  }
  admission?.close();
  exchange.callClosers();
  const record = exchangeRecord(exchange, exchange.clock.monotonicMs(), referenceCost(exchange, prices));
  // Refused at the door: nobody's, and anyone could write any number of them.
  if (exchange.principal !== undefined) ledger.settle(record);
  decisions.settled(record);
  for (const sink of sinks) sink.exchangeSettled(record);
  return proof;
}
