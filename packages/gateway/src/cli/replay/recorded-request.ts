import { type Capability, capabilities, type Placement, placements } from "@fairlead/contract/names";
import { modalities, signalNames, taskKinds } from "@fairlead/contract/routing-names";
import { z } from "zod";
import type { Features } from "../../core/decision.ts";
import type { RoutingWish } from "../../core/routing-wish.ts";
import type { TokenUsage } from "../../core/usage.ts";

/** One try at one target, as it was recorded. */
export interface RecordedAttempt {
  readonly target: string;
  readonly upstream: string | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
  readonly placement: Placement;
  readonly durationMs: number;
  /** Since the request came, not since the attempt began. */
  readonly firstContentMs: number | undefined;
  readonly error: string | undefined;
  /** Undefined where the line does not tell. */
  readonly usage: TokenUsage | undefined;
  /** `usage` is the gateway's own guess. */
  readonly isEstimated: boolean;
  readonly priceVersion: string | undefined;
  readonly costUsd: number | undefined;
}

/** A decision that was made, with what it was made from and what came of it. */
export interface RecordedRequest {
  readonly id: string;
  readonly atMs: number;
  readonly asked: string;
  /** The API shape its client spoke; empty where the line does not tell. */
  readonly dialect: string;
  readonly stream: boolean;
  readonly features: Features;
  readonly needs: readonly Capability[];
  readonly wish: RoutingWish;
  readonly reasoning: string;
  readonly key: {
    readonly id: string;
    readonly name: string;
    readonly team: string;
    readonly user: string;
    readonly tags: readonly string[];
    readonly region: string;
    readonly localOnly: boolean;
  };
  readonly reason: string;
  readonly exclusions: readonly { readonly target: string; readonly reason: string }[];
  readonly confinedTo: Placement | undefined;
  readonly order: readonly string[];
  readonly candidates: readonly {
    readonly target: string;
    readonly inFlight: number;
    readonly ttftMs: number | undefined;
  }[];
  readonly attempts: readonly RecordedAttempt[];
  /** Undefined when no target was reached. */
  readonly served: { readonly target: string; readonly placement: Placement } | undefined;
  /** The code of the error it was answered with; undefined for an answer, and for a client that left. */
  readonly error: string | undefined;
  readonly costUsd: number | undefined;
  readonly durationMs: number;
  readonly firstContentMs: number | undefined;
}

/** Why a line is of no use. */
export type UnusableReason =
  | "not JSON"
  | "no decision"
  | "decided without a record of its features"
  | "unsettled when the gateway ended"
  | "copied to a shadow";

const count = z.number().min(0).catch(0);
const textOr = z.string().nullish();
const placement = z.enum(placements);

const tokens = z
  .object({
    input: count,
    cached_read: count,
    cache_write: count,
    long_cache_write: count,
    audio_input: count,
    output: count,
    reasoning: count,
    audio_output: count,
  })
  .transform(
    (told): TokenUsage => ({
      inputTokens: told.input,
      cachedReadTokens: told.cached_read,
      cacheWriteTokens: told.cache_write,
      longCacheWriteTokens: told.long_cache_write,
      audioInputTokens: told.audio_input,
      outputTokens: told.output,
      reasoningTokens: told.reasoning,
      audioOutputTokens: told.audio_output,
    }),
  );

const features = z
  .object({
    prompt_tokens: z.number(),
    window_tokens: z.number(),
    input_tokens: z.number(),
    max_tokens: z.number(),
    requested_max_tokens: z.number().nullish(),
    task: z.enum(taskKinds),
    language: z.string(),
    modalities: z.array(z.enum(modalities)),
    turns: z.number(),
    has_tools: z.boolean(),
    wants_json: z.boolean(),
    complexity: z.number(),
    complexity_rules: z.number(),
    signals: z.array(z.object({ name: z.enum(signalNames), weight: z.number() })),
    prefix_hash: z.number(),
    conversation_hash: z.number(),
  })
  .transform(
    (told): Features => ({
      promptTokens: told.prompt_tokens,
      windowTokens: told.window_tokens,
      inputTokens: told.input_tokens,
      maxTokens: told.max_tokens,
      requestedMaxTokens: told.requested_max_tokens ?? undefined,
      task: told.task,
      language: told.language,
      modalities: told.modalities,
      turns: told.turns,
      hasTools: told.has_tools,
      wantsJson: told.wants_json,
      complexity: told.complexity,
      complexityRules: told.complexity_rules,
      signals: told.signals,
      prefixHash: told.prefix_hash,
      conversationHash: told.conversation_hash,
    }),
  );

const sorts = { price: "cheapest", latency: "fastest", throughput: "throughput" } as const;
const names = z.array(z.string()).optional();

const wish = z
  .object({
    strategy: z.string().optional(),
    data: z.literal("local-only").optional(),
    max_latency_ms: z.number().optional(),
    max_cost_usd: z.number().optional(),
    region: z.string().optional(),
    order: names,
    only: names,
    ignore: names,
    allow_fallbacks: z.boolean().optional(),
    require_parameters: z.boolean().optional(),
    data_collection: z.literal("deny").optional(),
    max_price: z
      .object({ prompt: z.number().optional(), completion: z.number().optional(), request: z.number().optional() })
      .optional(),
    sort: z.enum(["price", "latency", "throughput"]).optional(),
    models: names,
    session: z.string().optional(),
  })
  .transform(
    (told): RoutingWish => ({
      strategy: told.strategy,
      localOnly: told.data !== undefined,
      maxLatencyMs: told.max_latency_ms,
      maxCostUsd: told.max_cost_usd,
      region: told.region,
      order: told.order,
      only: told.only,
      ignore: told.ignore,
      allowFallbacks: told.allow_fallbacks,
      requireParameters: told.require_parameters,
      dataCollection: told.data_collection,
      maxPrice: told.max_price,
      sort: told.sort && sorts[told.sort],
      models: told.models,
      session: told.session,
    }),
  );

const attempt = z.object({
  target: z.string(),
  upstream: z.string().optional(),
  provider: z.string().optional(),
  model: z.string().optional(),
  placement,
  duration_ms: count,
  first_content_ms: z.number().nullish(),
  error: textOr,
  tokens: tokens.optional(),
  estimated: z.boolean().default(false),
  price_version: textOr,
  cost_usd: z.number().nullish(),
});

const candidate = z
  .object({ target: z.string(), in_flight: count, ttft_ms: z.number().nullish() })
  .transform(({ target, in_flight, ttft_ms }) => ({ target, inFlight: in_flight, ttftMs: ttft_ms ?? undefined }));
const keyFacts = z.object({ name: textOr, region: textOr, local_only: z.boolean().default(false) });
const place = z.object({ target: z.string(), placement });

/** The fields that the ledger's export and `GET /v1/decisions/{id}` have in common, and those of either. */
const line = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  asked: z.string(),
  model: z.string().nullish(),
  dialect: z.string().default(""),
  stream: z.boolean().default(false),
  reason: textOr,
  exclusions: z.array(z.object({ target: z.string(), reason: z.string() })).default([]),
  confined_to: placement.nullish(),
  features: features.optional(),
  needs: z.array(z.enum(capabilities)).default([]),
  wish: wish.default({ localOnly: false }),
  reasoning: textOr,
  order: z.array(z.string()).default([]),
  candidates: z.array(candidate).default([]),
  attempts: z.array(attempt).default([]),
  outcome: z.string(),
  status: z.number(),
  duration_ms: count,
  /** The key's id in the export, what is known of the key in decisions. */
  key: z.union([z.string(), keyFacts]).nullish(),
  // Only in the export.
  key_facts: keyFacts.optional(),
  team: textOr,
  user: textOr,
  tags: z.array(z.string()).default([]),
  served: place.nullish(),
  error: z.object({ code: z.string() }).nullish(),
  orphaned: z.boolean().default(false),
  cost_usd: z.number().nullish(),
  first_content_ms: z.number().nullish(),
  // Only in decisions.
  target: textOr,
  backend: placement.nullish(),
});
type Line = z.output<typeof line>;

/** Reads one line; a line of no use gives the reason. */
export function readRecordedRequest(text: string): RecordedRequest | UnusableReason {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  const told = line.safeParse(value);
  if (!told.success) return "no decision";
  if (told.data.orphaned) return "unsettled when the gateway ended";
  if (told.data.reason === "shadow") return "copied to a shadow";
  const { features } = told.data;
  return features === undefined ? "decided without a record of its features" : recordedRequest(told.data, features);
}

function recordedRequest(told: Line, features: Features): RecordedRequest {
  const attempts = told.attempts.map(recordedAttempt);
  const { target, backend } = told;
  const shown = target == null || backend == null ? undefined : { target, placement: backend };
  const served = told.served ?? (attempts.length > 0 ? shown : undefined);
  const failed = told.outcome === "error" || told.outcome === "interrupted";
  const facts = told.key_facts ?? (typeof told.key === "object" ? told.key : undefined);
  return {
    id: told.id,
    atMs: Date.parse(told.at),
    asked: told.model ?? told.asked,
    dialect: told.dialect,
    stream: told.stream,
    features,
    needs: told.needs,
    wish: told.wish,
    reasoning: told.reasoning ?? "",
    key: {
      id: typeof told.key === "string" ? told.key : "",
      name: facts?.name ?? "",
      team: told.team ?? "",
      user: told.user ?? "",
      tags: told.tags,
      region: facts?.region ?? "",
      localOnly: facts?.local_only ?? false,
    },
    reason: told.reason ?? "",
    exclusions: told.exclusions,
    confinedTo: told.confined_to ?? undefined,
    order: told.order,
    candidates: told.candidates,
    attempts,
    served,
    error: failed ? (told.error?.code ?? attempts.at(-1)?.error ?? `status ${told.status}`) : undefined,
    costUsd: told.cost_usd ?? undefined,
    durationMs: told.duration_ms,
    firstContentMs: told.first_content_ms ?? attempts.at(-1)?.firstContentMs,
  };
}

function recordedAttempt(told: z.output<typeof attempt>): RecordedAttempt {
  return {
    target: told.target,
    upstream: told.upstream,
    provider: told.provider,
    model: told.model,
    placement: told.placement,
    durationMs: told.duration_ms,
    firstContentMs: told.first_content_ms ?? undefined,
    error: told.error ?? undefined,
    usage: told.tokens,
    isEstimated: told.estimated,
    priceVersion: told.price_version ?? undefined,
    costUsd: told.cost_usd ?? undefined,
  };
}
