import type { GatewayError } from "../../core/errors.ts";
import type { ExchangeRecord } from "../../core/exchange-record.ts";
import { toDollars } from "../../core/money.ts";
import type { Sink } from "../../telemetry/sink.ts";
import type { LogOutput } from "./make-logger.ts";

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Fields of the log event `route_decision`: no prompt, no answer, no key. */
function decisionFields(record: ExchangeRecord, debug: boolean): Record<string, unknown> {
  const { served, fallback, usage, error } = record;
  return {
    event: "route_decision",
    id: record.id,
    alias: record.asked,
    reason: record.reason,
    backend: served?.placement,
    target: served?.target,
    fallback: fallback && `${fallback.from};${fallback.why}`,
    stream: record.stream,
    status: record.status,
    outcome: record.outcome,
    error: error?.code,
    message: error?.message,
    promptTokensEstimate: record.promptTokensEstimate,
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    costUsd: record.cost === undefined ? undefined : toDollars(record.cost),
    unpriced: record.unpriced || undefined,
    usageEstimated: record.usageEstimated || undefined,
    durationMs: rounded(record.durationMs),
    firstContentMs: record.firstContentMs === undefined ? undefined : rounded(record.firstContentMs),
    overheadMs: rounded(record.overheadMs),
    dropped: record.dropped.length > 0 ? record.dropped : undefined,
    nearNames: record.nearNames.length > 0 ? record.nearNames : undefined,
    key: record.keyId,
    team: record.team,
    tags: record.tags.length > 0 ? record.tags : undefined,
    ...(debug ? { exclusions: record.exclusions, attempts: record.attempts, usage } : {}),
  };
}

/** Writes one `route_decision` line per exchange at `info`; at `debug` with every exclusion and attempt. */
export function logSink({ logger, writeInfo, flush }: LogOutput): Sink {
  return {
    name: "log",
    exchangeSettled(record) {
      if (!logger.isLevelEnabled("info")) return;
      writeInfo(decisionFields(record, logger.isLevelEnabled("debug")));
    },
    budgetReached({ budget, threshold, spent, windowStartMs }) {
      const share = `${Math.round(threshold * 100)} %`;
      const text = `The budget ${budget.name} reached ${share} of ${toDollars(budget.limit)} $.`;
      const fields = { event: "budget_reached", budget: budget.name, threshold, hard: budget.hard };
      const since = new Date(windowStartMs).toISOString();
      logger.warn({ ...fields, spentUsd: toDollars(spent), limitUsd: toDollars(budget.limit), since }, text);
    },
    operatorAlert(error: GatewayError, exchangeId) {
      const { cause, target, upstreamStatus } = error.detail;
      const fields = { event: "operator_alert", id: exchangeId, code: error.code, target, upstreamStatus };
      const stack = cause instanceof Error ? (cause.stack ?? cause.message) : undefined;
      logger.error({ ...fields, message: error.message, cause: stack });
    },
    async close() {
      flush();
    },
  };
}
