import type { AttemptRecord, RoutingRecord, ServedBy } from "../core/exchange-record.ts";
import { toDollars } from "../core/money.ts";
import type { TokenUsage } from "../core/usage.ts";
import type { LedgerRow } from "../ledger/ledger-row.ts";
import { routingWire } from "../telemetry/decision-wire.ts";
import { isoTime } from "./wire-time.ts";

export const dollarsOrNull = (nano: number | undefined): number | null => (nano === undefined ? null : toDollars(nano));

export function tokensOf(usage: TokenUsage) {
  return {
    input: usage.inputTokens,
    cached_read: usage.cachedReadTokens,
    cache_write: usage.cacheWriteTokens,
    long_cache_write: usage.longCacheWriteTokens,
    audio_input: usage.audioInputTokens,
    output: usage.outputTokens,
    reasoning: usage.reasoningTokens,
    audio_output: usage.audioOutputTokens,
  };
}

const placeOf = (served: ServedBy) => ({
  target: served.target,
  upstream: served.upstream,
  provider: served.provider,
  model: served.model,
  placement: served.placement,
});

const attemptOf = (attempt: AttemptRecord) => ({
  ...placeOf(attempt),
  duration_ms: attempt.durationMs,
  first_content_ms: attempt.firstContentMs ?? null,
  error: attempt.error ?? null,
  upstream_status: attempt.upstreamStatus ?? null,
  tokens: tokensOf(attempt.usage),
  estimated: attempt.usageEstimated,
  raw_usage: attempt.rawUsage ?? null,
  price_version: attempt.priceVersion ?? null,
  cost_usd: dollarsOrNull(attempt.cost),
});

/** `key` is the key's id here: what else decisions tell of the key has a name of its own. */
function routingOf(recorded: RoutingRecord) {
  const { key, ...routing } = routingWire(recorded);
  return { ...routing, key_facts: key };
}

/** A ledger row as the admin API shows and exports it: everything that `fairlead replay` needs. */
export function exchangeWire({ record, orphaned }: LedgerRow) {
  return {
    id: record.id,
    at: isoTime(record.at),
    dialect: record.dialect,
    key: record.keyId ?? null,
    team: record.team ?? null,
    user: record.user ?? null,
    tags: record.tags,
    asked: record.asked,
    stream: record.stream,
    strategy: record.strategy ?? null,
    reason: record.reason ?? null,
    exclusions: record.exclusions,
    first_choice: record.firstChoice === undefined ? null : placeOf(record.firstChoice),
    served: record.served === undefined ? null : placeOf(record.served),
    fallback: record.fallback ?? null,
    confined_to: record.confinedTo ?? null,
    ...(record.routing === undefined ? {} : routingOf(record.routing)),
    attempts: record.attempts.map(attemptOf),
    tokens: tokensOf(record.usage),
    estimated: record.usageEstimated,
    orphaned,
    cost_usd: dollarsOrNull(record.cost),
    unpriced: record.unpriced,
    reference_cost_usd: dollarsOrNull(record.referenceCost),
    reference_version: record.referenceVersion ?? null,
    status: record.status,
    outcome: record.outcome,
    error: record.error ?? null,
    duration_ms: record.durationMs,
    first_content_ms: record.firstContentMs ?? null,
    overhead_ms: record.overheadMs,
  };
}

export type ExchangeWire = ReturnType<typeof exchangeWire>;
