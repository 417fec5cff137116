import type { TokenUsage } from "../../core/usage.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";

/**
 * Reads Anthropic's counts, whose input leaves cached tokens out. Missing and null counts are 0.
 * @see docs/spec/wire-formats.md 2
 */
export function decodeUsage(usage: JsonObject): TokenUsage {
  const cachedReadTokens = count(usage["cache_read_input_tokens"]);
  const cacheWriteTokens = count(usage["cache_creation_input_tokens"]);
  const details = usage["output_tokens_details"];
  return {
    inputTokens: count(usage["input_tokens"]) + cachedReadTokens + cacheWriteTokens,
    cachedReadTokens,
    cacheWriteTokens,
    outputTokens: count(usage["output_tokens"]),
    reasoningTokens: isObject(details) ? count(details["thinking_tokens"]) : 0,
  };
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
