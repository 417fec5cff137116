import type { Placement, RoutingReason } from "@fairlead/contract/names";
import type { BalancerName, OrderName, StrategyName } from "@fairlead/contract/routing-names";
import type { ArmChoice } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { OrderWeights, Strategy } from "../core/strategy.ts";

/** Deployments that are compared with each other. */
export interface Stage {
  /** In the config's order. */
  readonly targets: readonly Deployment[];
  /** Empty for no order: all are equal. */
  readonly order: readonly (OrderName | "throughput")[];
  readonly balance: BalancerName;
  readonly weights?: OrderWeights | undefined;
  /** Only the first so many. */
  readonly limit?: number | undefined;
}

/** What a name or a strategy wants before filters, and why the first is first. */
export interface Preference {
  readonly reason: RoutingReason;
  readonly prefer: readonly Stage[];
  /** Tried behind what is preferred when the request may go elsewhere. */
  readonly fallback: readonly Stage[];
  /** Tried before the fallback when a local target is known not to be ready. */
  readonly standIn: readonly Deployment[];
  readonly confinedTo: Placement | undefined;
  readonly strategy?: Strategy | undefined;
  readonly strategyName?: StrategyName | undefined;
  readonly rule?: string | undefined;
  readonly experiment?: ArmChoice | undefined;
}

/** A stage whose order is the list's own; replicas of one model that follow each other are equals. */
export function listed(targets: readonly Deployment[], balance: BalancerName): Stage {
  return { targets, order: ["listed"], balance };
}
