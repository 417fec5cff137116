import type { Deployment } from "../core/deployment.ts";
import type { Exchange } from "../core/exchange.ts";
import type { LedgerBegin } from "../ledger/ledger-store.ts";
import type { Admission } from "../policy/admission.ts";
import { servedBy } from "../telemetry/exchange-record.ts";

/** What is written before anything is sent. */
export function beginning(exchange: Exchange, { expected, price }: Admission, target: Deployment): LedgerBegin {
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
    inputTokens: expected?.forecast.inputTokens ?? 0,
    outputTokens: expected?.forecast.outputTokens ?? 0,
    cost: expected?.cost,
    priceVersion: price?.version,
  };
}
