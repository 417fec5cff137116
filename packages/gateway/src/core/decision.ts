import type { Capability, Placement, RoutingReason } from "@fairlead/contract/names";
import type { Modality, SignalName, StrategyName, TaskKind } from "@fairlead/contract/routing-names";
import type { Deployment, DeploymentId } from "./deployment.ts";
import type { RouteRules } from "./gateway-model.ts";
import type { RoutingWish } from "./routing-wish.ts";

/** Facts about a request that routing may use; computed once, synchronously. Plain data: decisions keep it. */
export interface Features {
  /** Prompt characters / 4, over all message parts, tools left out: what thresholds compare (requirement B5). */
  readonly promptTokens: number;
  /** What the prompt may need of a context window; a little pessimistic. */
  readonly windowTokens: number;
  /** Best estimate of the whole input, tools included: for prices and predictions. */
  readonly inputTokens: number;
  /** The client's output limit, or 512. */
  readonly maxTokens: number;
  /** The output limit only when the client set one. */
  readonly requestedMaxTokens: number | undefined;
  readonly task: TaskKind;
  /** ISO 639-1, or `und`. */
  readonly language: string;
  readonly modalities: readonly Modality[];
  /** User messages. */
  readonly turns: number;
  readonly hasTools: boolean;
  readonly wantsJson: boolean;
  /** 0 to 1. */
  readonly complexity: number;
  /** The literal sum of requirement B6, 0 to 1. */
  readonly complexityRules: number;
  /** Those that fired, with their part in `complexity` before it is bounded to 0..1. */
  readonly signals: readonly Signal[];
  /** Of system prompt and tools: equal for requests that share an engine's warm prefix. 32 bits. */
  readonly prefixHash: number;
  /** Of `prefixHash` and the first user message: equal for the turns of one conversation. 32 bits. */
  readonly conversationHash: number;
}

export interface Signal {
  readonly name: SignalName;
  readonly weight: number;
}

/** Why one deployment was left out of the ordered targets. */
export interface Exclusion {
  readonly target: DeploymentId;
  readonly reason: RoutingReason;
}

/** What was known of one target when the decision was made: only what the decision looked at. Undefined is unknown. */
export interface Candidate {
  readonly target: DeploymentId;
  readonly costUsd: number | undefined;
  readonly ttftMs: number | undefined;
  readonly quality: number | undefined;
  readonly inFlight: number;
}

/** Where a request goes and why. Immutable. */
export interface Decision {
  /** The name the client asked for, `auto` when it named none. */
  readonly asked: string;
  readonly strategy: StrategyName | undefined;
  /** The strategy's rule that decided. */
  readonly rule: string | undefined;
  readonly reason: RoutingReason;
  /** What the request wanted before filters; undefined when nothing could be wanted. */
  readonly firstChoice: Deployment | undefined;
  /** In the order to try them; never empty. */
  readonly targets: readonly Deployment[];
  readonly exclusions: readonly Exclusion[];
  readonly candidates: readonly Candidate[];
  /** Names like the one asked for, when nobody serves that. */
  readonly nearNames: readonly string[];
  readonly features: Features;
  readonly needs: readonly Capability[];
  readonly wish: RoutingWish;
  /** The reasoning effort asked for, or empty. */
  readonly reasoning: string;
  /** The request must stay on this placement, whatever fails. */
  readonly confinedTo: Placement | undefined;
  readonly experiment: ArmChoice | undefined;
  /** What a share control went by; undefined without one. */
  readonly control: ControlChoice | undefined;
  /** What its route says of its tries. */
  readonly rules?: RouteRules | undefined;
  /** Set when the request left its local target for cloud because that would answer too late: what a cap holds for it. */
  readonly spillCostUsd: number | undefined;
}

/** The arm of an experiment that a request fell to. */
export interface ArmChoice {
  readonly name: string;
  readonly arm: string;
  /** Of this arm, 0 to 1: without it nothing can be estimated later. */
  readonly probability: number;
}

export interface ControlChoice {
  readonly threshold: number;
  readonly chose: Placement;
}
