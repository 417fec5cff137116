import type { Deployment } from "../core/deployment.ts";
import type { Exchange } from "../core/exchange.ts";
import type { LedgerBegin } from "../ledger/ledger-store.ts";
import type { Entry } from "../policy/admission.ts";
import { servedBy } from "../telemetry/exchange-record.ts";

/** What is written before anything is sent. */
export function beginning(exchange: Exchange, { forecast, cost, price }: Entry, target: Deployment): LedgerBegin {
  const { principal, decision } = exchange;
  return {
    id: exchange.id,
    at: exchange.startedAt,
    dialect: exchange.dialect,
    keyId: principal?.keyId,
    team: principal?.team,
    user: principal?.user,
    tags: exchange.tags,
    asked: exchange.asked,
    stream: exchange.stream,
    reason: decision?.reason,
    target: servedBy(target),
    inputTokens: forecast.inputTokens,
    outputTokens: forecast.outputTokens,
    cost,
    priceVersion: price?.version,
  };
}
