/** Closed lists of names that config, wire headers, metrics and docs share. */

export const placements = ["local", "cloud"] as const;
export type Placement = (typeof placements)[number];

/** API shapes an upstream may speak. */
export const protocolNames = ["openai-chat", "anthropic-messages"] as const;
export type ProtocolName = (typeof protocolNames)[number];

/** API shapes a client may speak. */
export const dialectNames = ["openai-chat"] as const;
export type DialectName = (typeof dialectNames)[number];

/** Self-hosted server software that discovery and probes recognise. */
export const engineNames = ["vllm", "llamacpp", "ollama", "sglang", "tgi"] as const;
export type EngineName = (typeof engineNames)[number];

/** What a deployment can do beyond plain text in, plain text out. */
export const capabilities = [
  "tools",
  "vision",
  "json_schema",
  "reasoning",
  "pdf",
  "audio_in",
  "audio_out",
  "logprobs",
  "n",
  "prefill",
] as const;
export type Capability = (typeof capabilities)[number];

export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a budget may be about. */
export const budgetScopeKinds = ["total", "placement", "provider", "upstream", "team", "key", "tag"] as const;
export type BudgetScopeKind = (typeof budgetScopeKinds)[number];

/** Calendar units a budget may hold for. */
export const budgetWindowNames = ["hour", "day", "week", "month"] as const;
export type BudgetWindowName = (typeof budgetWindowNames)[number];

/** What a person or a service account may do with the admin API; each role may do what the next one may. */
export const roles = ["owner", "admin", "viewer", "member"] as const;
export type Role = (typeof roles)[number];

/**
 * Why a request went where it went: the value of `X-Router-Reason`, of the metric label `reason` and of the log field.
 * Adding a reason means adding its row to `docs/glossary.md`.
 */
export const routingReasons = [
  /** The client named this deployment, its model or `<upstream>/<model>`. */
  "explicit_model",
  /** The client named an alias or a configured public name. */
  "alias",
  /** `auto`: short enough for the local deployment's adequacy. */
  "local_adequate",
  /** `auto`: the prompt is larger than the local deployment is adequate for. */
  "prompt_too_long",
  /** `auto`: the requested output is larger than the local deployment is adequate for. */
  "output_too_long",
  /** `auto`: over 50,000 estimated prompt tokens. */
  "long_context",
  /** The client named a model nobody serves, so `auto` decided. */
  "unknown_model",
  /** No local deployment is configured. */
  "no_local",
  /** No cloud deployment is configured. */
  "no_cloud",
  /** The preferred local deployment is starting or asleep. */
  "local_cold",
  /** The preferred local deployment does not answer. */
  "local_down",
  /** The preferred local deployment is being put to sleep or taken out of service. */
  "local_draining",
  /** The preferred cloud provider does not answer. */
  "cloud_down",
  /** The preferred local deployment has no room. */
  "local_full",
  /** The prompt does not fit the preferred deployment's context window. */
  "context_window",
  /** The preferred deployment lacks a capability that the request needs. */
  "capability",
  /** The preferred deployment's circuit breaker is open. */
  "breaker_open",
  /** The preferred deployment asked to be left alone for a while. */
  "rate_limited",
  /** The provider refuses the gateway's key. */
  "key_refused",
  /** The account at the provider is out of money or quota. */
  "quota_exhausted",
  /** The upstream does not serve the model it is configured for. */
  "model_missing",
  /** A budget leaves no money for the preferred deployment. */
  "budget_exhausted",
  /** A budget holds, and nobody knows what the preferred deployment costs. */
  "unpriced",
  /** The client's key may not use the preferred deployment. */
  "key_not_allowed",
  /** The preferred deployment's upstream is at the limit this gateway sets it. */
  "upstream_limit",
  /** `auto`: the task is code generation, and a code model is deployed locally. */
  "code_task",
  /** `auto`: the request is complex enough for a premium model. */
  "complex",
  /** `auto`: the client wishes an answer sooner than most targets give one. */
  "latency_wish",
  /** The preferred local deployment would answer too late, so a cloud one was taken (`routing.spill`). */
  "spill",
  /** A target share of cloud, or daily dollars, moved the request to the other placement (`control`). */
  "share_control",
  /** The preferred deployment costs more than the request or the client allows. */
  "price_cap",
  /** The preferred deployment is not in a region that the request may use. */
  "region",
  /** The request's data may not leave the premises, or its region. */
  "residency",
  /** The client's own `routing` preferences leave the deployment out. */
  "client_preference",
  /** An arm of an experiment decided. */
  "experiment",
  /** A copy of another request, for a target that is tried out. */
  "shadow",
  /** A strategy that the client or the config chose decided. */
  "strategy",
] as const;
export type RoutingReason = (typeof routingReasons)[number];
