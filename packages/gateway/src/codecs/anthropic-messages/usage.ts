import { noUsage, type ReportedUsage } from "../../core/usage.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";

/**
 * Reads Anthropic's counts, whose input leaves cached tokens out. Missing and null counts are 0.
 * @see docs/spec/wire-formats.md 2
 */
export function decodeUsage(raw: JsonObject): ReportedUsage {
  const cachedReadTokens = count(raw["cache_read_input_tokens"]);
  const writes = isObject(raw["cache_creation"]) ? raw["cache_creation"] : {};
  const longCacheWriteTokens = count(writes["ephemeral_1h_input_tokens"]);
  const cacheWriteTokens =
    count(raw["cache_creation_input_tokens"]) || count(writes["ephemeral_5m_input_tokens"]) + longCacheWriteTokens;
  const details = raw["output_tokens_details"];
  const usage = {
    ...noUsage,
    inputTokens: count(raw["input_tokens"]) + cachedReadTokens + cacheWriteTokens,
    cachedReadTokens,
    cacheWriteTokens,
    longCacheWriteTokens: Math.min(longCacheWriteTokens, cacheWriteTokens),
    outputTokens: count(raw["output_tokens"]),
    reasoningTokens: isObject(details) ? count(details["thinking_tokens"]) : 0,
  };
  return { usage, raw };
}

/** Puts later counts over earlier ones: they are running totals, and null means "as before". */
export function mergeUsage(earlier: JsonObject, later: unknown): JsonObject {
  if (!isObject(later)) return earlier;
  const merged: Record<string, unknown> = { ...earlier };
  for (const [name, value] of Object.entries(later)) if (value !== null && name !== "__proto__") merged[name] = value;
  return merged;
}

function count(value: unknown): number {
  return typeof value === "number" && value > 0 && Number.isSafeInteger(value) ? value : 0;
}
