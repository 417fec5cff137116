import type { Placement } from "@fairlead/contract/names";
import type { BalancerName, StrategyName } from "@fairlead/contract/routing-names";
import type { Deployment, Timeouts } from "./deployment.ts";
import type { Condition, Strategy } from "./strategy.ts";

/** What a route says of its requests' tries, in place of what the upstream or everyone has. */
export interface RouteRules {
  readonly timeouts: Partial<Timeouts>;
  /** Until the answer begins, over all tries and waits; undefined for none. */
  readonly requestMs: number | undefined;
  readonly hedge: boolean | undefined;
  readonly onRefusal: OnRefusal | undefined;
  readonly afterCut: AfterCut | undefined;
}

/** When a target refuses the content: tell the client, or ask the next target. */
export type OnRefusal = "answer" | "fallback";
/** When a stream breaks off after its first content: tell the client, or have another target go on from there. */
export type AfterCut = "error" | "continue";

/** When a second target is started beside a late one (requirement C8). */
export interface HedgeSettings {
  /** Of requests, 0 to 1. */
  readonly maxShare: number;
  readonly minDelayMs: number;
  /** In place of the observed 95th percentile. */
  readonly delayMs?: number | undefined;
}

export interface RetryBudgetLimits {
  /** Retries for each first try of the last ten seconds. */
  readonly share: number;
  readonly minPerSecond: number;
}

/** Limits of the attempt loop over one request. */
export interface AttemptLimits {
  readonly maxAttempts: number;
  readonly retriesPerTarget: number;
  readonly backoffMs: number;
  readonly maxRetryAfterMs: number;
  readonly retryBudget: RetryBudgetLimits;
  /** Undefined for never. */
  readonly hedge: HedgeSettings | undefined;
  readonly onRefusal: OnRefusal;
  readonly afterCut: AfterCut;
}

export interface BreakerLimits {
  /** In a row. */
  readonly failures: number;
  /** Of the tries within `windowMs`, 0 to 1, once there were `minTries`. */
  readonly failureRate: number;
  readonly minTries: number;
  readonly windowMs: number;
  readonly cooldownMs: number;
  readonly halfOpenTrials: number;
}

/**
 * All that routing knows from the config, resolved: every list holds existing deployments, in the order to try them,
 * without repeats. Built once at load; immutable.
 */
export interface Catalogue {
  readonly deployments: readonly Deployment[];
  /** Public name → what it means. Holds aliases, configured models, model ids and `<upstream>/<model>`. */
  readonly names: ReadonlyMap<string, NamedTarget>;
  readonly autoCloud: readonly Deployment[];
  readonly longContext: readonly Deployment[];
  readonly fallback: readonly Deployment[];
  readonly unknownModel: "auto" | "reject";
  /** Every strategy by name, built-in ones included; aliases are not in it. */
  readonly strategies: ReadonlyMap<StrategyName, Strategy>;
  /** Where neither request nor key nor route names one. */
  readonly defaultStrategy: StrategyName;
  readonly balance: BalancerName;
  readonly spill: SpillSettings | undefined;
  /** Region → regions near it, nearest first. */
  readonly nearRegions: ReadonlyMap<string, readonly string[]>;
  readonly residency: readonly ResidencyRule[];
  readonly experiments: readonly Experiment[];
  readonly shadows: readonly Shadow[];
}

/** When a request leaves its local target for cloud (requirement C6). */
export interface SpillSettings {
  /** Longest predicted time to the first token that is waited for locally, unless route or request say. */
  readonly maxTtftMs: number;
  /** Undefined for no cap. */
  readonly maxUsdPerHour: number | undefined;
}

/** Data that may not leave: the requests it is about, and where they may go. */
export interface ResidencyRule {
  readonly name: string;
  /** Undefined for every request. */
  readonly when: Condition | undefined;
  /** Undefined for anywhere. */
  readonly placement: Placement | undefined;
  /** Undefined for all. An upstream without a region is in none. */
  readonly regions: readonly string[] | undefined;
}

/** A split of requests over arms (requirement B13). */
export interface Experiment {
  readonly name: string;
  /** Undefined for every request that a strategy would decide. */
  readonly when: Condition | undefined;
  /** Public names it is about; empty for requests that name no model. */
  readonly models: readonly string[];
  readonly sticky: "conversation" | "key" | "user" | "request";
  readonly arms: readonly Arm[];
}

export interface Arm {
  readonly name: string;
  /** Any positive number; shares are relative. */
  readonly weight: number;
  /** One of the two is given. */
  readonly targets: readonly Deployment[] | undefined;
  readonly strategy: StrategyName | undefined;
}

/** Copies of some requests whose answers are compared and never returned. */
export interface Shadow {
  readonly name: string;
  readonly when: Condition | undefined;
  readonly target: Deployment;
  /** Share of requests, 0 to 1. */
  readonly sample: number;
  readonly maxConcurrent: number;
  readonly maxUsdPerDay: number | undefined;
}

export interface NamedTarget {
  /** `explicit_model` for a deployment's own name, `alias` for any other. */
  readonly reason: "explicit_model" | "alias";
  readonly targets: readonly Deployment[];
  /** Replaces the default chain behind this name. */
  readonly fallback: readonly Deployment[] | undefined;
  /** The route's own strategy, over its own targets. */
  readonly strategy?: StrategyName | undefined;
  readonly balance?: BalancerName | undefined;
  /** Its requests never leave this placement. */
  readonly confinedTo?: Placement | undefined;
  /** Longest predicted time to the first token before the route spills. */
  readonly maxTtftMs?: number | undefined;
  readonly rules?: RouteRules | undefined;
  /** Shown by `GET /v1/models`; the long spelling `<upstream>/<model>` is not. */
  readonly listed: boolean;
}
