import type { Placement } from "@fairlead/contract/names";
import type { Candidate, Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import { toDollars } from "../core/money.ts";
import { costOf, type Price } from "../core/price.ts";
import type { TargetFacts } from "../core/routing-facts.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { noUsage } from "../core/usage.ts";
import type { DeploymentState } from "./deployment-state.ts";
import { exceedsRates } from "./exceeds-rates.ts";
import type { LiveState } from "./live-state.ts";
import { mayServe } from "./readiness.ts";
import type { Surroundings } from "./ttft-predictor.ts";

/** What views of one request are made from. */
export interface ViewContext {
  readonly features: Features;
  readonly live: LiveState;
  /** Monotonic. */
  readonly nowMs: number;
  /** Undefined when unpriced. */
  readonly priceOf: (target: Deployment) => Price | undefined;
  /** Output tokens this request will likely get there. */
  readonly predictOutput: (target: Deployment) => number;
}

/**
 * A measured price or latency becomes a weight by `half / (half + measured)`: 1 for nothing, 0.5 at these, towards 0 above. It
 * needs no other target to compare with, so a weight does not move when another target comes or goes.
 */
const halfPricePer1k = 0.003;
const halfLatencyMs = 5_000;

/**
 * After this long without a request a latency says less and less, down to a part of it: where a target that was slow once is
 * left for others, nothing else would ever measure it again. The slower it was, the longer it takes.
 */
const freshMs = 30_000;
const hopeHalfLifeMs = 60_000;
const leastHope = 1 / 32;

/** One deployment as a candidate for one request; each figure is computed when first asked, then kept. */
export class TargetView implements TargetFacts {
  readonly deployment: Deployment;
  readonly features: Features;
  readonly #context: ViewContext;
  readonly #state: DeploymentState;
  #cost: number | undefined;
  #ttft: { readonly ms: number | undefined } | undefined;
  #output: number | undefined;
  #surroundings: Surroundings | undefined;

  constructor(deployment: Deployment, context: ViewContext) {
    this.deployment = deployment;
    this.features = context.features;
    this.#context = context;
    this.#state = context.live.deployment(deployment);
  }

  get id(): string {
    return this.deployment.id;
  }

  get upstream(): string {
    return this.deployment.upstream.name;
  }

  get provider(): string {
    return this.deployment.upstream.provider;
  }

  get model(): string {
    return this.deployment.model;
  }

  get placement(): Placement {
    return this.deployment.upstream.placement;
  }

  get region(): string {
    return this.deployment.upstream.region ?? "";
  }

  get tags(): readonly string[] {
    return this.deployment.tags;
  }

  get contextWindow(): number {
    return this.deployment.contextWindow ?? 0;
  }

  get fits(): boolean {
    const window = this.deployment.contextWindow;
    if (window === undefined) return true;
    return this.features.windowTokens + Math.min(this.features.requestedMaxTokens ?? 1, window / 2) <= window;
  }

  get adequate(): boolean {
    return this.promptAdequate && (this.placement === "cloud" || this.features.maxTokens <= this.#adequate.maxTokens);
  }

  /** Trusted with this prompt, whatever the output. */
  get promptAdequate(): boolean {
    return this.placement === "cloud" || this.features.promptTokens <= this.#adequate.promptTokens;
  }

  get ready(): boolean {
    const { nowMs, live } = this.#context;
    if (!this.#state.breaker.admits(nowMs) || this.#state.coolUntilMs > nowMs) return false;
    return mayServe(live.readiness(this.deployment, nowMs));
  }

  get priced(): boolean {
    return this.costUsd !== Number.POSITIVE_INFINITY;
  }

  get costUsd(): number {
    this.#cost ??= this.#computeCost();
    return this.#cost;
  }

  get pricePer1k(): number {
    return (this.costUsd * 1_000) / Math.max(1, this.features.inputTokens + this.outputTokens);
  }

  get ttftMs(): number {
    return this.knownTtftMs ?? 0;
  }

  /** `ttftMs`, but undefined while nobody knows. */
  get knownTtftMs(): number | undefined {
    this.#ttft ??= { ms: this.#predictTtft() };
    return this.#ttft.ms;
  }

  get latencyMs(): number {
    return this.knownLatencyMs ?? 0;
  }

  /** `latencyMs`, but undefined while nobody knows. Where no stream was seen, whole answers tell. */
  get knownLatencyMs(): number | undefined {
    const { msPerToken, endToEndMs } = this.#state.latency;
    const ttftMs = this.knownTtftMs;
    if (ttftMs !== undefined && msPerToken !== undefined) return ttftMs + this.outputTokens * msPerToken * this.#hope;
    if (endToEndMs === undefined) return undefined;
    return endToEndMs * this.#hope + (this.sawFirstTokens ? 0 : this.ttftMs);
  }

  get tokensPerSecond(): number {
    return this.#state.latency.tokensPerSecond ?? 0;
  }

  get errorRate(): number {
    return this.#state.latency.errorRate(this.#context.nowMs);
  }

  get inFlight(): number {
    return this.#state.inFlight;
  }

  get queueDepth(): number {
    const { live, nowMs } = this.#context;
    const { slots } = this;
    if (slots === undefined) return live.engine(this.upstream).waiting(nowMs) ?? 0;
    return Math.max(0, this.#onEngine - slots);
  }

  get quality(): number {
    return this.deployment.weights.quality;
  }

  get costWeight(): number {
    return this.priced ? halfPricePer1k / (halfPricePer1k + this.pricePer1k) : this.deployment.weights.cost;
  }

  get latencyWeight(): number {
    const ms = this.knownLatencyMs;
    return ms === undefined ? this.deployment.weights.latency : halfLatencyMs / (halfLatencyMs + ms);
  }

  /** Output tokens this request will likely get here. */
  get outputTokens(): number {
    this.#output ??= this.#context.predictOutput(this.deployment);
    return this.#output;
  }

  /** Prompt tokens it has in its cache from the conversation's last turn. */
  get warmTokens(): number {
    return this.features.inputTokens - this.#uncachedTokens;
  }

  /** Never asked since this process began: nothing is known of it, and nothing will be unless it is asked once. */
  get untried(): boolean {
    return this.#state.lastBegunMs === undefined;
  }

  /** Whether a stream ever showed its first token; else `knownTtftMs` is at most a wait for a slot. */
  get sawFirstTokens(): boolean {
    return this.#state.latency.ttftMs !== undefined;
  }

  /** Requests it works on at once: configured, told by its engine, or found out; undefined while nobody knows. */
  get slots(): number | undefined {
    return this.#state.ttft.slots(this.#around.slots);
  }

  /** Share of its slots that are taken, as far as they are known; else its running requests. More is busier. */
  get occupancy(): number {
    return this.#onEngine / (this.slots ?? 1);
  }

  /** All that compete for its slots. */
  get #onEngine(): number {
    return this.inFlight + this.#around.others;
  }

  get #around(): Surroundings {
    const { live, nowMs } = this.#context;
    this.#surroundings ??= live.surroundings(this.deployment, nowMs);
    return this.#surroundings;
  }

  /** 1 while what was measured is fresh or something runs there, less and less while nobody asks. */
  get #hope(): number {
    if (this.inFlight > 0) return 1;
    const idleMs = this.#context.nowMs - (this.#state.lastBegunMs ?? 0) - freshMs;
    return idleMs <= 0 ? 1 : Math.max(leastHope, 0.5 ** (idleMs / hopeHalfLifeMs));
  }

  /** Only the figures that somebody asked for: what a decision went by. */
  known(): Candidate {
    const { id, weights } = this.deployment;
    const costUsd = this.#cost === Number.POSITIVE_INFINITY ? undefined : this.#cost;
    return { target: id, costUsd, ttftMs: this.#ttft?.ms, quality: weights.quality, inFlight: this.inFlight };
  }

  /** Every figure, for people to see. */
  figures(): Candidate {
    this.costUsd;
    this.knownTtftMs;
    return this.known();
  }

  /** Whether it costs more than the client allows. What one's own hour pays for exceeds nothing; an unknown price does. */
  exceeds(wish: RoutingWish): boolean {
    const price = this.#context.priceOf(this.deployment);
    if (price === undefined) return this.placement === "cloud";
    return (
      this.costUsd > (wish.maxCostUsd ?? Number.POSITIVE_INFINITY) || exceedsRates(price, this.features, wish.maxPrice)
    );
  }

  get #adequate(): Deployment["adequate"] {
    return this.deployment.adequate;
  }

  get #uncachedTokens(): number {
    return this.#context.live.uncachedTokens(this.deployment, this.features, this.#context.nowMs);
  }

  #predictTtft(): number | undefined {
    const ms = this.#state.ttft.predict(this.#uncachedTokens, this.#around);
    return ms === undefined ? undefined : ms * this.#hope;
  }

  #computeCost(): number {
    const price = this.#context.priceOf(this.deployment);
    if (price === undefined) return Number.POSITIVE_INFINITY;
    const { inputTokens } = this.features;
    const { warmTokens: cachedReadTokens, outputTokens } = this;
    return toDollars(costOf({ ...noUsage, inputTokens, cachedReadTokens, outputTokens }, price));
  }
}
