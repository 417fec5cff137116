import type { Decision } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { HedgeSettings } from "../core/gateway-model.ts";
import type { LatencyWindow } from "../routing/latency-window.ts";

/** With fewer answers than this nobody knows what is late. */
const leastAnswers = 20;
const lateShare = 0.95;

/** The settings by which a request may be hedged; undefined for not at all. */
export function hedgeSettings(
  { rules, targets, wish }: Decision,
  everyone: HedgeSettings | undefined,
): HedgeSettings | undefined {
  const isWanted = rules?.hedge ?? everyone !== undefined;
  if (!isWanted || targets.length < 2 || wish.allowFallbacks === false) return undefined;
  return everyone ?? usual;
}

/** For routes that ask for it where nobody else does. */
const usual: HedgeSettings = { maxShare: 0.05, minDelayMs: 50 };

/** How long a target may take before it is late; undefined while nobody knows. */
export function hedgeDelay(
  { delayMs, minDelayMs }: HedgeSettings,
  latency: LatencyWindow,
  streams: boolean,
): number | undefined {
  if (delayMs !== undefined) return delayMs;
  const usualMs = latency.late(streams, lateShare, leastAnswers);
  return usualMs === undefined ? undefined : Math.max(minDelayMs, usualMs);
}

/** The next target that does not share the late one's upstream. */
export function hedgeTarget(left: readonly Deployment[], late: Deployment): Deployment | undefined {
  return left.find(({ upstream }) => upstream !== late.upstream);
}
