import type { CacheHint } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";

const most = 4;

export function encodeCacheHint(cache: CacheHint | undefined): JsonObject {
  if (cache === undefined) return {};
  return { cache_control: { type: "ephemeral", ...(cache.ttl !== undefined && { ttl: cache.ttl }) } };
}

/**
 * Keeps the first and the last three hints in the order tools, system, messages: more are refused. Returns true when
 * some were taken out, of the given blocks themselves.
 * @see docs/spec/wire-formats.md 1.4
 */
export function limitCacheHints(blocks: readonly Record<string, unknown>[]): boolean {
  const hinted = blocks.filter((block) => block["cache_control"] !== undefined);
  if (hinted.length <= most) return false;
  for (const block of hinted.slice(1, hinted.length - most + 1)) delete block["cache_control"];
  return true;
}
