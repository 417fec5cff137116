/** Closed lists of names that rule files, decisions, metrics and docs share. */

/** Strategies that ship with the gateway; a config may override each of them and add its own. */
export const builtInStrategies = [
  "auto",
  "fast",
  "quality",
  "cost",
  "long_context",
  "balanced",
  "hybrid",
  "local_first",
  "cloud_first",
  "capability",
  "self_hosted_only",
  "cloud_only",
] as const;
export type BuiltInStrategy = (typeof builtInStrategies)[number];

/** A built-in strategy's name, or one of the config's own. Known to exist only in the catalogue that has it. */
export type StrategyName = string;

/** Other names a client may use for a strategy. */
export const strategyAliases: Readonly<Record<string, BuiltInStrategy>> = {
  latency: "fast",
  cluster_first: "local_first",
  external_first: "cloud_first",
};

/** What a request asks for, as far as its words and its shape tell. */
export const taskKinds = [
  "code_generation",
  "code_analysis",
  "extraction",
  "classification",
  "summarising",
  "translation",
  "planning",
  "math",
  "writing",
  "question",
  "chat",
] as const;
export type TaskKind = (typeof taskKinds)[number];

export const modalities = ["text", "image", "audio", "file"] as const;
export type Modality = (typeof modalities)[number];

/** Facts that raise or lower a request's complexity, each named in the decision when it fires (requirement B6). */
export const signalNames = [
  /** High, 0.3 each in `complexity_rules`. */
  "multi_step_reasoning",
  "code_analysis",
  "code_generation",
  "long_context",
  "multimodal",
  "tool_calling",
  "analysis_phrase",
  /** Medium, 0.2 each. */
  "several_questions",
  "detailed_explanation",
  "domain_knowledge",
  /** Low, 0.1 each. */
  "simple_question",
  "factual_lookup",
  "basic_summary",
  /** Only in the calibrated score. */
  "length",
  "math",
  "digits",
  "constraints",
  "reading_level",
  "reasoning_verbs",
  "output_demands",
  "turn_depth",
  "choices",
] as const;
export type SignalName = (typeof signalNames)[number];

/** How targets are compared. Equal ones are one group, which is balanced. */
export const orderNames = [
  /** As the config lists them. */
  "listed",
  /** Least expected cost of this request first. */
  "cheapest",
  /** Least predicted time to the first token first. */
  "fastest",
  /** Highest quality weight first. */
  "quality",
  /** Largest context window first. */
  "largest_window",
  /** Best weighted mean of cost, latency and quality first. */
  "balanced",
] as const;
export type OrderName = (typeof orderNames)[number];

/** How requests are spread over a group of equal targets. */
export const balancerNames = [
  /** In the order of the config, always. */
  "priority",
  /** At random, by each target's `weight`. */
  "weighted",
  /** The one with the fewest running requests. */
  "least_in_flight",
  /** The better of two random ones, by predicted time to the first token (peak-sensitive moving average). */
  "peak_ewma",
  /** The same one for the same beginning of a conversation, while it is not overloaded: engine caches stay warm. */
  "prefix_hash",
] as const;
export type BalancerName = (typeof balancerNames)[number];
