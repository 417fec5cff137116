import type { Placement } from "@fairlead/contract/names";
import type { Deployment } from "../core/deployment.ts";
import type {
  KeyFacts,
  PlacementFacts,
  RequestFacts,
  RoutingFacts,
  TargetFacts,
  TimeFacts,
} from "../core/routing-facts.ts";
import type { Ask } from "./ask.ts";

/** The facts of one request, for conditions. Each part is made when a condition first asks for it. */
export class Facts implements RoutingFacts {
  settings: Readonly<Record<string, unknown>> = {};
  target?: TargetFacts;
  readonly #ask: Ask;
  readonly #asked: string;
  readonly #atMs: number;
  readonly #placement: (placement: Placement) => PlacementFacts;
  #request: RequestFacts | undefined;
  #headers: Readonly<Record<string, string>> | undefined;
  #local: PlacementFacts | undefined;
  #cloud: PlacementFacts | undefined;

  constructor(ask: Ask, asked: string, atMs: number, placement: (placement: Placement) => PlacementFacts) {
    this.#ask = ask;
    this.#asked = asked;
    this.#atMs = atMs;
    this.#placement = placement;
  }

  get request(): RequestFacts {
    this.#request ??= requestFacts(this.#ask, this.#asked);
    return this.#request;
  }

  get key(): KeyFacts {
    return this.#ask.key;
  }

  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= this.#ask.headers();
    return this.#headers;
  }

  get local(): PlacementFacts {
    this.#local ??= this.#placement("local");
    return this.#local;
  }

  get cloud(): PlacementFacts {
    this.#cloud ??= this.#placement("cloud");
    return this.#cloud;
  }

  get now(): TimeFacts {
    const date = new Date(this.#atMs);
    return { hour: date.getUTCHours(), weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay() };
  }

  /** Forgets what was counted over placements: the deployments they hold have changed. */
  recount(): void {
    this.#local = undefined;
    this.#cloud = undefined;
  }
}

function requestFacts({ features, wish, stream, reasoning, key }: Ask, model: string): RequestFacts {
  return {
    model,
    promptTokens: features.promptTokens,
    inputTokens: features.inputTokens,
    maxTokens: features.maxTokens,
    complexity: features.complexity,
    complexityRules: features.complexityRules,
    signals: features.signals.map(({ name }) => name),
    task: features.task,
    language: features.language,
    modalities: features.modalities,
    turns: features.turns,
    hasTools: features.hasTools,
    wantsJson: features.wantsJson,
    stream,
    reasoning,
    maxLatencyMs: wish.maxLatencyMs ?? Number.POSITIVE_INFINITY,
    maxCostUsd: wish.maxCostUsd ?? Number.POSITIVE_INFINITY,
    region: wish.region ?? key.region,
  };
}

/** Deployments of one placement. */
export const onPlacement = (targets: readonly Deployment[], placement: Placement): Deployment[] =>
  targets.filter((target) => target.upstream.placement === placement);
