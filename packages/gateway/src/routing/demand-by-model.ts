import type { Deployment } from "../core/deployment.ts";
import type { LiveState } from "./live-state.ts";

/** Requests that want each self-hosted model now, by the id clients know it by; all that are configured, wanted or not. */
export function demandByModel(
  deployments: readonly Deployment[],
  live: LiveState,
  nowMs: number,
): ReadonlyMap<string, number> {
  const demand = new Map<string, number>();
  for (const target of deployments) {
    if (target.upstream.placement !== "local") continue;
    const model = target.id.slice(target.upstream.name.length + 1);
    demand.set(model, (demand.get(model) ?? 0) + live.demand(target, nowMs));
  }
  return demand;
}
