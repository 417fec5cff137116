import type { Gateway } from "../build-gateway.ts";
import type { Shared } from "./open-shared.ts";

/** Shows in `/metrics` whether limits and budgets are shared now. */
export function showShared({ metrics }: Gateway, { counters }: Shared): void {
  metrics.watch(
    "llm_router_shared_state_up",
    "Whether limits and budgets are shared with other replicas now.",
    () => (counters.isUp ? 1 : 0),
    "min",
  );
  metrics.watch(
    "llm_router_shared_replicas",
    "Replicas alive, this one included, when this one last asked.",
    () => counters.company.replicas,
    "max",
  );
  metrics.watch(
    "llm_router_shared_last_sync_timestamp_seconds",
    "When this replica last asked what all limits have left; 0 for never.",
    () => counters.company.askedAtMs / 1_000,
    "min",
  );
}
