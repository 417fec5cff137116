import type { ChatRequest } from "../core/chat.ts";
import type { Features } from "../core/decision.ts";
import type { DeploymentId } from "../core/deployment.ts";

/** What an output counts as where nothing was seen yet (requirement B4). */
const unknownTokens = 512;
/** Deployments times kinds of requests; the longest unused leaves first. */
const maxKinds = 4_096;
/** The newest answer counts at least this much, so that a changed model is noticed. */
const leastWeight = 1 / 32;
/** A single answer says little of the next one's length. */
const firstSpread = 0.5;

/** Length of answers: mean, and mean distance from it. */
interface Lengths {
  seen: number;
  mean: number;
  spread: number;
}

/**
 * Learns from answers how long the next one to a like request will be, for each deployment. A prediction is the mean and
 * one mean deviation: most answers are shorter. Bounded, deterministic; two map look-ups.
 */
export class OutputPredictor {
  /** Least recently learned first. */
  readonly #kinds = new Map<string, Lengths>();

  /** Tokens of one choice, a whole number; never more than the client's own limit. */
  predict(target: DeploymentId, request: ChatRequest, features: Features): number {
    const lengths = this.#kinds.get(kindOf(target, request, features)) ?? this.#kinds.get(target);
    const likely = lengths === undefined ? unknownTokens : Math.ceil(lengths.mean + lengths.spread);
    return Math.min(Math.max(1, likely), features.requestedMaxTokens ?? Number.POSITIVE_INFINITY);
  }

  /** `outputTokens` is the whole answer's, over all its choices. */
  observe(target: DeploymentId, request: ChatRequest, features: Features, outputTokens: number): void {
    const tokens = outputTokens / choicesOf(request);
    this.#learn(target, tokens);
    this.#learn(kindOf(target, request, features), tokens);
  }

  #learn(kind: string, tokens: number): void {
    const lengths = this.#kinds.get(kind) ?? { seen: 0, mean: tokens, spread: tokens * firstSpread };
    lengths.seen++;
    const weight = Math.max(leastWeight, 1 / lengths.seen);
    if (lengths.seen > 1) lengths.spread += weight * (Math.abs(tokens - lengths.mean) - lengths.spread);
    lengths.mean += weight * (tokens - lengths.mean);
    this.#kinds.delete(kind);
    this.#kinds.set(kind, lengths);
    if (this.#kinds.size > maxKinds) this.#kinds.delete(this.#kinds.keys().next().value ?? kind);
  }
}

/** Requests of one kind: one task, prompts of about one size (a factor of 4), with or without tools, JSON and reasoning. */
function kindOf(target: DeploymentId, request: ChatRequest, { promptTokens, task }: Features): string {
  const size = Math.floor(Math.log2(promptTokens + 1) / 2);
  const format = request.responseFormat?.type ?? "text";
  const tools = request.tools.length > 0 ? "tools" : "";
  return `${target} ${task} ${size} ${tools} ${format} ${request.reasoningEffort ?? ""}`;
}

function choicesOf({ extra }: ChatRequest): number {
  const n = extra["n"];
  return typeof n === "number" && Number.isInteger(n) && n > 1 ? n : 1;
}
