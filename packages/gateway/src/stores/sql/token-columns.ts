import { noUsage, type TokenUsage } from "../../core/usage.ts";
import type { SqlRow } from "./sql-database.ts";
import { storedInteger } from "./stored-number.ts";

/** The columns of a `TokenUsage`, in every table that has one. */
export const tokenColumns = [
  "input_tokens",
  "cached_read_tokens",
  "cache_write_tokens",
  "long_cache_write_tokens",
  "audio_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "audio_output_tokens",
] as const;

const members: readonly (keyof TokenUsage)[] = [
  "inputTokens",
  "cachedReadTokens",
  "cacheWriteTokens",
  "longCacheWriteTokens",
  "audioInputTokens",
  "outputTokens",
  "reasoningTokens",
  "audioOutputTokens",
];

/** In the order of `tokenColumns`. */
export function encodeTokens(usage: TokenUsage): number[] {
  return members.map((member) => storedInteger(usage[member]));
}

export function decodeTokens(row: SqlRow): TokenUsage {
  const usage: Record<keyof TokenUsage, number> = { ...noUsage };
  members.forEach((member, index) => {
    usage[member] = Number(row[tokenColumns[index] ?? ""] ?? 0);
  });
  return usage;
}
