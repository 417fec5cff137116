import type { Features } from "../core/decision.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { Attempt } from "../core/exchange.ts";
import { costOf } from "../core/price.ts";
import { noUsage, type TokenUsage } from "../core/usage.ts";

/** Characters of text that count as one token where an upstream never told. */
const charactersPerToken = 4;

/** After these an upstream may have worked on the request, whatever it showed of it. */
const maybeOwed: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "client_gone",
  "draining",
  "first_content_timeout",
  "idle_timeout",
  "total_timeout",
  "stream_interrupted",
  "bad_upstream_response",
  "malformed_tool_call",
  "internal_error",
  "superseded",
  "deadline_exceeded",
]);

/** Whether an attempt that failed owes nothing: it was refused, or never reached the upstream. */
function isFree({ error, progress }: Attempt): boolean {
  if (error === undefined) return false;
  const told = progress?.usage?.usage ?? noUsage;
  if ((progress?.outputCharacters ?? 0) > 0 || told.inputTokens + told.outputTokens > 0) return false;
  // An error answer is not charged; a connection that broke before any answer was most often closed before it was used.
  const wasRefused = error.detail.upstreamStatus !== undefined && error.detail.upstreamStatus >= 400;
  return wasRefused || error.detail.reset === true || !maybeOwed.has(error.code);
}

function estimate({ progress }: Attempt, features: Features | undefined): TokenUsage {
  const told = progress?.usage?.usage ?? noUsage;
  return {
    ...told,
    inputTokens: told.inputTokens || (features?.windowTokens ?? 0),
    outputTokens: Math.max(told.outputTokens, Math.ceil((progress?.outputCharacters ?? 0) / charactersPerToken)),
  };
}

/**
 * Fills in what an ended attempt used and cost. Work that an upstream may have done without saying how much, because its
 * answer was cut, given up or silent about it, is estimated and marked; a refused request is free.
 */
export function meterAttempt(attempt: Attempt, features: Features | undefined, isComplete: boolean): void {
  if (isFree(attempt)) return;
  const told = attempt.progress?.usage?.usage;
  const isCertain = isComplete && told !== undefined && told.inputTokens + told.outputTokens > 0;
  attempt.usageEstimated = !isCertain;
  attempt.usage = isCertain ? told : estimate(attempt, features);
  attempt.cost = attempt.price && costOf(attempt.usage, attempt.price);
}
