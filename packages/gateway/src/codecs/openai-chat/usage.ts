import type { ReportedUsage, TokenUsage } from "../../core/usage.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";

/** Renders usage the way OpenAI counts: cached input and reasoning are parts of the totals. */
export function encodeUsage(usage: TokenUsage): JsonObject {
  const { audioInputTokens, audioOutputTokens } = usage;
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedReadTokens,
      cache_write_tokens: usage.cacheWriteTokens,
      ...(audioInputTokens > 0 && { audio_tokens: audioInputTokens }),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      ...(audioOutputTokens > 0 && { audio_tokens: audioOutputTokens }),
    },
  };
}

/** Reads a `usage` member; undefined when it is no object. Missing counts are 0. */
export function decodeUsage(value: unknown): ReportedUsage | undefined {
  if (!isObject(value)) return undefined;
  const prompt = isObject(value["prompt_tokens_details"]) ? value["prompt_tokens_details"] : {};
  const completion = isObject(value["completion_tokens_details"]) ? value["completion_tokens_details"] : {};
  const inputTokens = count(value["prompt_tokens"]);
  const completionTokens = count(value["completion_tokens"]);
  const reasoningTokens = count(completion["reasoning_tokens"] ?? value["reasoning_tokens"]);
  // xAI leaves reasoning out of `completion_tokens`, but not out of the total.
  const isApart = count(value["total_tokens"]) === inputTokens + completionTokens + reasoningTokens;
  const usage = {
    inputTokens,
    cachedReadTokens: count(prompt["cached_tokens"] ?? value["prompt_cache_hit_tokens"] ?? value["cached_tokens"]),
    cacheWriteTokens: count(prompt["cache_write_tokens"]),
    longCacheWriteTokens: 0,
    audioInputTokens: count(prompt["audio_tokens"]),
    outputTokens: isApart ? completionTokens + reasoningTokens : completionTokens,
    reasoningTokens,
    audioOutputTokens: count(completion["audio_tokens"]),
  };
  return { usage, raw: value };
}

function count(value: unknown): number {
  return typeof value === "number" && value > 0 && Number.isSafeInteger(value) ? value : 0;
}
