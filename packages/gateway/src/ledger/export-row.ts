import type { LedgerRow } from "./ledger-row.ts";

/** A cell of an export. Money is in nano-dollars, whole, since a sheet's decimals are not exact. */
export type ExportCell = string | number | boolean | undefined;

/** One exchange as a flat row; the order of the names is the order of the columns and only ever grows. */
export function exportRow({ record, orphaned }: LedgerRow): Readonly<Record<string, ExportCell>> {
  const last = record.served ?? record.attempts.at(-1);
  const { usage } = record;
  return {
    id: record.id,
    at: new Date(record.at).toISOString(),
    key_id: record.keyId,
    team: record.team,
    user: record.user,
    tags: record.tags.join(" "),
    dialect: record.dialect,
    stream: record.stream,
    asked: record.asked,
    strategy: record.strategy,
    reason: record.reason,
    asked_target: record.firstChoice?.target,
    asked_placement: record.firstChoice?.placement,
    target: last?.target,
    placement: last?.placement,
    provider: last?.provider,
    upstream: last?.upstream,
    model: last?.model,
    attempts: record.attempts.length,
    status: record.status,
    outcome: record.outcome,
    error: record.error?.code,
    input_tokens: usage.inputTokens,
    cached_read_tokens: usage.cachedReadTokens,
    cache_write_tokens: usage.cacheWriteTokens,
    long_cache_write_tokens: usage.longCacheWriteTokens,
    audio_input_tokens: usage.audioInputTokens,
    output_tokens: usage.outputTokens,
    reasoning_tokens: usage.reasoningTokens,
    audio_output_tokens: usage.audioOutputTokens,
    usage_estimated: record.usageEstimated,
    cost_nano_usd: record.cost,
    unpriced: record.unpriced,
    price_version: record.attempts.at(-1)?.priceVersion,
    reference_cost_nano_usd: record.referenceCost,
    duration_ms: record.durationMs,
    first_content_ms: record.firstContentMs,
    overhead_ms: record.overheadMs,
    orphaned,
  };
}
