import type { GatewayError, Repair } from "../core/errors.ts";
import type { AttemptLimits } from "../core/gateway-model.ts";
import type { Randomness } from "../lib/ids.ts";

/**
 * How long to wait before the same target is asked again after an error; undefined for not at all. `retries` were made
 * already.
 */
export function retryWait(
  error: GatewayError,
  retries: number,
  hasOther: boolean,
  limits: AttemptLimits,
  randomness: Randomness,
): number | undefined {
  const { retrySame } = error.row;
  // The request met a pooled connection that the upstream was closing: a fresh one is tried at once, and only once.
  if (error.detail.reset === true && retries === 0) return 0;
  if (retrySame === "no" || error.detail.repair !== undefined) return undefined;
  // Waiting for a busy or absent target is worth it only where nobody else can serve.
  if (hasOther && (retrySame === "after-wait" || error.detail.refused === true)) return undefined;
  const hint = error.detail.retryAfterMs;
  if (hint !== undefined && hint > limits.maxRetryAfterMs) return undefined;
  const jittered = randomness.fraction() * limits.backoffMs * 2 ** retries;
  return hint === undefined ? jittered : hint + jittered / 4;
}

/** Whether the same target takes the request once it is changed so, and was not changed so before. */
export function canRepair(repair: Repair | undefined, done: readonly Repair[]): repair is Repair {
  if (repair === undefined || repair.type === "use-endpoint") return false;
  return done.length < 3 && !done.some((earlier) => JSON.stringify(earlier) === JSON.stringify(repair));
}
