import type { Capability, RoutingReason } from "@fairlead/contract/names";
import type { Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { LiveState } from "./live-state.ts";
import { mayServe, type Readiness } from "./readiness.ts";

/** Why a local deployment that may not serve is out. */
const unready: Readonly<Record<Exclude<Readiness, "unknown" | "ready">, RoutingReason>> = {
  cold: "local_cold",
  warming: "local_cold",
  failed: "local_down",
  draining: "local_draining",
};

/** What must hold beyond routing's own facts: why a target is out for this request, whatever its state. */
export type TargetRule = (target: Deployment) => RoutingReason | undefined;

/** Why this deployment cannot serve this request now; undefined when it can. Capability faults come first. */
export function exclusionReason(
  target: Deployment,
  needs: ReadonlySet<Capability>,
  features: Features,
  live: LiveState,
  nowMs: number,
): RoutingReason | undefined {
  for (const need of needs) if (!target.capabilities.has(need)) return "capability";
  const window = target.contextWindow;
  if (window !== undefined && features.windowTokens + Math.min(features.requestedMaxTokens ?? 1, window / 2) > window) {
    return "context_window";
  }
  const state = live.deployment(target);
  if (!state.breaker.admits(nowMs)) return "breaker_open";
  if (state.coolUntilMs > nowMs) return state.coolReason;
  const readiness = live.readiness(target, nowMs);
  if (mayServe(readiness)) return undefined;
  return target.upstream.placement === "cloud" ? "cloud_down" : unready[readiness];
}
