import type { Exchange, Outcome } from "../core/exchange.ts";
import { noUsage } from "../core/usage.ts";
import type { Hold } from "../ledger/hold.ts";
import type { LedgerStore } from "../ledger/ledger-store.ts";
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
}

/** Characters of text that count as one token where an upstream never told. */
const charactersPerToken = 4;

/** Fills in a marked guess for work an upstream did without saying how much. */
function estimateUsage(exchange: Exchange, outputCharacters: number): void {
  const { usage, decision } = exchange;
  if (usage.outputTokens > 0 || (usage.inputTokens > 0 && outputCharacters === 0)) return;
  if (exchange.served === undefined) return;
  exchange.usageEstimated = true;
  exchange.usage = {
    ...noUsage,
    inputTokens: usage.inputTokens || (decision?.features.promptTokens ?? 0),
    outputTokens: Math.ceil(outputCharacters / charactersPerToken),
  };
}

/**
 * Ends an exchange, exactly once: usage, hold, ledger, sinks. A second call changes nothing. Synchronous; never throws.
 */
export function settle(
  exchange: Exchange,
  hold: Hold | undefined,
  outcome: Outcome,
  accounts: Accounts,
  outputCharacters = 0,
): Settlement {
  const proof = {} as Settlement;
  if (exchange.outcome !== undefined) return proof;
  exchange.outcome = outcome;
  if (outcome !== "error") estimateUsage(exchange, outputCharacters);
  hold?.settle(exchange.usage.inputTokens + exchange.usage.outputTokens);
  const record = exchangeRecord(exchange, exchange.clock.monotonicMs());
  accounts.ledger.settle(record);
  for (const sink of accounts.sinks) sink.exchangeSettled(record);
  return proof;
}
