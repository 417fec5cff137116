import type { Exchange } from "../core/exchange.ts";
import type { AttemptRecord, ExchangeRecord } from "../core/exchange-record.ts";

/** Copies what an ended exchange is worth telling; called once, by `settle`. */
export function exchangeRecord(exchange: Exchange, endedMs: number): ExchangeRecord {
  const { decision, served, fallback, error } = exchange;
  const firstContent = exchange.attempts.find((attempt) => attempt.target === served && attempt.firstContentMs);
  return {
    id: exchange.id,
    at: exchange.startedAt,
    dialect: exchange.dialect,
    keyId: exchange.principal?.keyId,
    team: exchange.principal?.team,
    asked: exchange.asked,
    stream: exchange.stream,
    reason: decision?.reason,
    promptTokensEstimate: decision?.features.promptTokens,
    exclusions: decision?.exclusions ?? [],
    nearNames: decision?.nearNames ?? [],
    served: served && {
      target: served.id,
      upstream: served.upstream.name,
      model: served.model,
      placement: served.upstream.placement,
    },
    fallback: fallback && { from: fallback.from.id, why: fallback.why },
    attempts: exchange.attempts.map(
      (attempt): AttemptRecord => ({
        target: attempt.target.id,
        durationMs: (attempt.endedMs ?? endedMs) - attempt.startedMs,
        error: attempt.error?.code,
        upstreamStatus: attempt.error?.detail.upstreamStatus,
      }),
    ),
    dropped: exchange.dropped,
    usage: exchange.usage,
    usageEstimated: exchange.usageEstimated,
    status: exchange.status,
    outcome: exchange.outcome ?? "error",
    error: error && { code: error.code, message: error.message },
    durationMs: endedMs - exchange.startedMs,
    firstContentMs:
      firstContent?.firstContentMs === undefined ? undefined : firstContent.firstContentMs - exchange.startedMs,
    overheadMs: exchange.overheadMs,
  };
}
