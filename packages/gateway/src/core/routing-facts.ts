import type { Placement } from "@fairlead/contract/names";
import type { Modality, SignalName, TaskKind } from "@fairlead/contract/routing-names";
import type { Deployment } from "./deployment.ts";

/**
 * What conditions of a strategy may ask. Names here are the names in rule files. Absent texts are empty, absent limits
 * infinite, so that comparisons need no test for absence.
 */
export interface RoutingFacts {
  readonly request: RequestFacts;
  readonly key: KeyFacts;
  /** Lower-case names; none that holds a secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly local: PlacementFacts;
  readonly cloud: PlacementFacts;
  /** The strategy's own settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly now: TimeFacts;
  /** The target that a condition of a selection is about. */
  readonly target?: TargetFacts;
}

export interface RequestFacts {
  /** The name asked for; `auto` for none. */
  readonly model: string;
  /** Prompt characters / 4: what thresholds compare. */
  readonly promptTokens: number;
  /** Best estimate of the whole input's tokens, tools included. */
  readonly inputTokens: number;
  /** The client's output limit, or 512. */
  readonly maxTokens: number;
  /** 0 to 1. */
  readonly complexity: number;
  /** The literal sum of requirement B6, 0 to 1. */
  readonly complexityRules: number;
  readonly signals: readonly SignalName[];
  readonly task: TaskKind;
  /** ISO 639-1, or `und`. */
  readonly language: string;
  readonly modalities: readonly Modality[];
  /** User messages so far. */
  readonly turns: number;
  readonly hasTools: boolean;
  /** The answer must be JSON. */
  readonly wantsJson: boolean;
  readonly stream: boolean;
  /** The effort asked for, or empty. */
  readonly reasoning: string;
  readonly maxLatencyMs: number;
  readonly maxCostUsd: number;
  readonly region: string;
}

export interface KeyFacts {
  readonly id: string;
  readonly name: string;
  readonly team: string;
  readonly user: string;
  readonly tags: readonly string[];
  readonly region: string;
}

/** All deployments of one placement taken together. Computed when asked. */
export interface PlacementFacts {
  readonly count: number;
  /** How many can be asked now: ready, breaker closed, not cooling down. */
  readonly ready: number;
  /** How many are trusted with this prompt and output. */
  readonly adequate: number;
  /** How many are trusted with this prompt, whatever the output. */
  readonly promptAdequate: number;
  readonly inFlight: number;
  /** Least predicted time to the first token; infinite when none is ready, 0 while nobody knows. */
  readonly ttftMs: number;
}

/** UTC. */
export interface TimeFacts {
  readonly hour: number;
  /** 1 is Monday, 7 Sunday. */
  readonly weekday: number;
}

/** One deployment as a candidate for one request. Figures are computed when first asked, then kept. */
export interface TargetFacts {
  readonly deployment: Deployment;
  readonly id: string;
  readonly upstream: string;
  readonly provider: string;
  readonly model: string;
  readonly placement: Placement;
  /** Empty when unknown. */
  readonly region: string;
  readonly tags: readonly string[];
  /** 0 when unknown. */
  readonly contextWindow: number;
  /** Prompt and output fit the window, as far as it is known. */
  readonly fits: boolean;
  /** Trusted with this prompt and output. Always true for cloud. */
  readonly adequate: boolean;
  readonly ready: boolean;
  /** Whether its price is known. */
  readonly priced: boolean;
  /** Expected price of this request in US dollars, its conversation's warm cache counted; infinite when unpriced. */
  readonly costUsd: number;
  /** `costUsd` per thousand tokens of this request; infinite when unpriced. */
  readonly pricePer1k: number;
  /** Predicted milliseconds to the first token; 0 while nobody knows. */
  readonly ttftMs: number;
  /** Predicted milliseconds to the last token; 0 while nobody knows. */
  readonly latencyMs: number;
  /** Of one stream; 0 while nobody knows. */
  readonly tokensPerSecond: number;
  /** Share of failed attempts lately, 0 to 1. */
  readonly errorRate: number;
  /** Requests of this gateway that run there. */
  readonly inFlight: number;
  /** Requests that wait there, as its engine tells or as its slots tell; 0 while nobody knows. */
  readonly queueDepth: number;
  /** Weights of requirement B7, 0 to 1: configured, else from what is known of the model. */
  readonly quality: number;
  /** 1 is cheapest. */
  readonly costWeight: number;
  /** 1 is fastest. */
  readonly latencyWeight: number;
}
