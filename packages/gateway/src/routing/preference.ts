import type { Placement, RoutingReason } from "@fairlead/contract/names";
import type { Deployment } from "../core/deployment.ts";

/** What a name or a strategy wants before filters: candidates in order, and why the first is first. */
export interface Preference {
  readonly reason: RoutingReason;
  readonly targets: readonly Deployment[];
  /** Tried behind the targets when the request may go elsewhere. */
  readonly fallback: readonly Deployment[];
  /** Tried before the fallback when a local target is known not to be ready. */
  readonly standIn: readonly Deployment[];
  readonly confinedTo: Placement | undefined;
}
