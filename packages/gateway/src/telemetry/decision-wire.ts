import type { Candidate, Features } from "../core/decision.ts";
import type { ExchangeRecord, RoutingRecord } from "../core/exchange-record.ts";
import { noWish, type RoutingWish } from "../core/routing-wish.ts";

/** A request's features as decisions show them. */
export function featuresWire(features: Features) {
  return {
    prompt_tokens: features.promptTokens,
    window_tokens: features.windowTokens,
    input_tokens: features.inputTokens,
    max_tokens: features.maxTokens,
    requested_max_tokens: features.requestedMaxTokens ?? null,
    task: features.task,
    language: features.language,
    modalities: features.modalities,
    turns: features.turns,
    has_tools: features.hasTools,
    wants_json: features.wantsJson,
    complexity: features.complexity,
    complexity_rules: features.complexityRules,
    signals: features.signals,
    prefix_hash: features.prefixHash,
    conversation_hash: features.conversationHash,
  };
}

const candidateWire = ({ target, costUsd, ttftMs, quality, inFlight }: Candidate) => ({
  target,
  cost_usd: costUsd ?? null,
  ttft_ms: ttftMs ?? null,
  quality: quality ?? null,
  in_flight: inFlight,
});

/** Only what the client wished. */
function wishWire(wish: RoutingWish) {
  const { maxPrice } = wish;
  return {
    strategy: wish.strategy,
    data: wish.localOnly ? "local-only" : undefined,
    max_latency_ms: wish.maxLatencyMs,
    max_cost_usd: wish.maxCostUsd,
    region: wish.region,
    order: wish.order,
    only: wish.only,
    ignore: wish.ignore,
    allow_fallbacks: wish.allowFallbacks,
    require_parameters: wish.requireParameters,
    data_collection: wish.dataCollection,
    max_price: maxPrice,
    sort: wish.sort === "cheapest" ? "price" : wish.sort === "fastest" ? "latency" : wish.sort,
    models: wish.models,
    session: wish.session,
  };
}

/** What a decision was made from, as the APIs show it. */
export function routingWire(routing: RoutingRecord) {
  const { experiment, control } = routing;
  return {
    model: routing.model ?? null,
    rule: routing.rule ?? null,
    features: featuresWire(routing.features),
    needs: routing.needs ?? [],
    wish: wishWire(routing.wish ?? noWish),
    key: {
      name: routing.key?.name ?? null,
      region: routing.key?.region ?? null,
      local_only: routing.key?.localOnly ?? false,
    },
    reasoning: routing.reasoning ?? null,
    order: routing.order,
    candidates: (routing.candidates ?? []).map(candidateWire),
    experiment: experiment === undefined ? null : experiment,
    control: control === undefined ? null : control,
    spill_cost_usd: routing.spillCostUsd ?? null,
    hedge: routing.hedge ?? null,
    continued: routing.continued ?? [],
  };
}

/** A decision and what came of it: the answer of `GET /v1/decisions/{id}` (requirement B12). */
export function decisionWire(record: ExchangeRecord) {
  const { served, firstChoice, fallback, routing } = record;
  const first = served ?? firstChoice;
  return {
    id: record.id,
    at: new Date(record.at).toISOString(),
    backend: first?.placement ?? null,
    target: first?.target ?? null,
    reason: record.reason ?? null,
    strategy: record.strategy ?? null,
    asked: record.asked,
    near_names: record.nearNames,
    first_choice: firstChoice?.target ?? null,
    fallback: fallback ?? null,
    exclusions: record.exclusions,
    confined_to: record.confinedTo ?? null,
    ...(routing === undefined ? {} : routingWire(routing)),
    attempts: record.attempts.map((attempt) => ({
      target: attempt.target,
      placement: attempt.placement,
      duration_ms: attempt.durationMs,
      first_content_ms: attempt.firstContentMs ?? null,
      error: attempt.error ?? null,
    })),
    dropped: record.dropped,
    status: record.status,
    outcome: record.outcome,
    duration_ms: record.durationMs,
  };
}

export type DecisionWire = ReturnType<typeof decisionWire>;
