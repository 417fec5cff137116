import { placements } from "@fairlead/contract/names";
import { modalities, signalNames, taskKinds } from "@fairlead/contract/routing-names";
import type {
  KeyFacts,
  PlacementFacts,
  RequestFacts,
  RoutingFacts,
  TargetFacts,
  TimeFacts,
} from "../../core/routing-facts.ts";

/** Kinds of facts, by the names that the expression language gives them. */
export type FactKind = "double" | "string" | "bool" | "list<string>";

/** What is known of a fact before any request. */
export interface FactSchema {
  readonly kind: FactKind;
  /** All texts it may be, or its list may hold; undefined for any. */
  readonly values?: readonly string[];
  /** Least and greatest number it may be. */
  readonly range?: readonly [number, number];
  /** Shape of its texts, and words for it. */
  readonly shape?: { readonly pattern: RegExp; readonly words: string };
}

type FactsOf<T> = Readonly<Record<Exclude<keyof T, "deployment">, FactSchema>>;

const text: FactSchema = { kind: "string" };
const flag: FactSchema = { kind: "bool" };
const texts: FactSchema = { kind: "list<string>" };
const amount: FactSchema = { kind: "double", range: [0, Number.POSITIVE_INFINITY] };
const share: FactSchema = { kind: "double", range: [0, 1] };

const request: FactsOf<RequestFacts> = {
  model: text,
  promptTokens: amount,
  inputTokens: amount,
  maxTokens: amount,
  complexity: share,
  complexityRules: share,
  signals: { kind: "list<string>", values: signalNames },
  task: { kind: "string", values: taskKinds },
  language: { kind: "string", shape: { pattern: /^([a-z]{2}|und)$/, words: "a language as in `de`, or `und`" } },
  modalities: { kind: "list<string>", values: modalities },
  turns: amount,
  hasTools: flag,
  wantsJson: flag,
  stream: flag,
  reasoning: text,
  maxLatencyMs: amount,
  maxCostUsd: amount,
  region: text,
};

const key: FactsOf<KeyFacts> = { id: text, name: text, team: text, user: text, tags: texts, region: text };

const placement: FactsOf<PlacementFacts> = {
  count: amount,
  ready: amount,
  adequate: amount,
  promptAdequate: amount,
  inFlight: amount,
  ttftMs: amount,
};

const now: FactsOf<TimeFacts> = {
  hour: { kind: "double", range: [0, 23] },
  weekday: { kind: "double", range: [1, 7] },
};

const target: FactsOf<TargetFacts> = {
  id: text,
  upstream: text,
  provider: text,
  model: text,
  placement: { kind: "string", values: placements },
  region: text,
  tags: texts,
  contextWindow: amount,
  fits: flag,
  adequate: flag,
  ready: flag,
  priced: flag,
  costUsd: amount,
  pricePer1k: amount,
  ttftMs: amount,
  latencyMs: amount,
  tokensPerSecond: amount,
  errorRate: share,
  inFlight: amount,
  queueDepth: amount,
  quality: share,
  costWeight: share,
  latencyWeight: share,
};

/** Groups of facts with fixed names; `headers` and `settings` are beside them. */
export type FactGroup = Exclude<keyof RoutingFacts, "headers" | "settings">;

/** Every fact that conditions may ask, by group and name. */
export const factSchema: Readonly<Record<FactGroup, Readonly<Record<string, FactSchema>>>> = {
  request,
  key,
  local: placement,
  cloud: placement,
  now,
  target,
};

/** Finds a fact by its path, for example `request.task`. */
export function factAt(path: string): FactSchema | undefined {
  const [group = "", name = ""] = path.split(".");
  if (!Object.hasOwn(factSchema, group)) return undefined;
  const facts = factSchema[group as FactGroup];
  return Object.hasOwn(facts, name) ? facts[name] : undefined;
}
