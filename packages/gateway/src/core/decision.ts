import type { Placement, RoutingReason, StrategyName } from "@fairlead/contract/names";
import type { Deployment, DeploymentId } from "./deployment.ts";

/** Facts about a request that routing may use; computed once, synchronously. */
export interface Features {
  /** Prompt characters / 4, over all message parts, tools included: what thresholds compare. */
  readonly promptTokens: number;
  /** What the prompt may need of a context window; a little pessimistic. */
  readonly windowTokens: number;
  /** The client's output limit, or 512. */
  readonly maxTokens: number;
  /** The output limit only when the client set one. */
  readonly requestedMaxTokens: number | undefined;
}

/** Why one deployment was left out of the ordered targets. */
export interface Exclusion {
  readonly target: DeploymentId;
  readonly reason: RoutingReason;
}

/** Where a request goes and why. Immutable. */
export interface Decision {
  /** The name the client asked for, `auto` when it named none. */
  readonly asked: string;
  readonly strategy: StrategyName | undefined;
  readonly reason: RoutingReason;
  /** What the request wanted before filters; undefined when nothing could be wanted. */
  readonly firstChoice: Deployment | undefined;
  /** In the order to try them; never empty. */
  readonly targets: readonly Deployment[];
  readonly exclusions: readonly Exclusion[];
  /** Names like the one asked for, when nobody serves that. */
  readonly nearNames: readonly string[];
  readonly features: Features;
  /** The request must stay on this placement, whatever fails. */
  readonly confinedTo: Placement | undefined;
}
