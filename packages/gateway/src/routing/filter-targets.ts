import type { RoutingReason } from "@fairlead/contract/names";
import type { ChatRequest } from "../core/chat.ts";
import type { Exclusion, Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { LiveState } from "./live-state.ts";

/** What must hold beyond routing's own facts: why a target is out for this request, whatever its state. */
export type TargetRule = (target: Deployment) => RoutingReason | undefined;

/** Why this deployment cannot serve this request now; undefined when it can. Capability faults come first. */
export function exclusionReason(
  target: Deployment,
  request: ChatRequest,
  features: Features,
  live: LiveState,
  nowMs: number,
): RoutingReason | undefined {
  for (const need of request.needs) if (!target.capabilities.has(need)) return "capability";
  const window = target.contextWindow;
  if (window !== undefined && features.windowTokens + Math.min(features.requestedMaxTokens ?? 1, window / 2) > window) {
    return "context_window";
  }
  const state = live.deployment(target);
  if (!state.breaker.admits(nowMs)) return "breaker_open";
  if (state.coolUntilMs > nowMs) return state.coolReason;
  const readiness = live.readiness(target.upstream.name);
  if (readiness !== "cold" && readiness !== "down") return undefined;
  if (target.upstream.placement === "cloud") return "cloud_down";
  return readiness === "cold" ? "local_cold" : "local_down";
}

export interface FilteredTargets {
  readonly usable: readonly Deployment[];
  readonly exclusions: readonly Exclusion[];
}

/** Splits candidates, in their order, into those that can serve and those that cannot, each with its reason. */
export function filterTargets(
  candidates: readonly Deployment[],
  request: ChatRequest,
  features: Features,
  live: LiveState,
  nowMs: number,
  rule: TargetRule,
): FilteredTargets {
  const usable: Deployment[] = [];
  const exclusions: Exclusion[] = [];
  for (const target of candidates) {
    const reason = rule(target) ?? exclusionReason(target, request, features, live, nowMs);
    if (reason === undefined) usable.push(target);
    else exclusions.push({ target: target.id, reason });
  }
  return { usable, exclusions };
}
