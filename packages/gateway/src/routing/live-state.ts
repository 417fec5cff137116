import type { RoutingReason } from "@fairlead/contract/names";
import type { Deployment, DeploymentId } from "../core/deployment.ts";
import type { BreakerLimits } from "../core/gateway-model.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { ConversationMemory } from "./conversation-memory.ts";
import type { DeploymentState, WorkAhead } from "./deployment-state.ts";
import { type EngineFigures, EngineWatch } from "./engine-watch.ts";
import { LatencyWindow } from "./latency-window.ts";
import { type ModelLoad, mayServe, type Readiness, type UpstreamReadiness } from "./readiness.ts";
import { ReadinessState } from "./readiness-state.ts";
import { RunningAttempt } from "./running-attempt.ts";
import { SpillCap } from "./spill-cap.ts";
import { type Surroundings, TtftPredictor } from "./ttft-predictor.ts";

interface UpstreamState {
  readiness: UpstreamReadiness;
  wasReady: boolean;
  lastAnswerMs: number;
  /** Of all its deployments. */
  inFlight: number;
  /** An operator took it out of service. */
  isDrained: boolean;
  readonly engine: EngineWatch;
}

/**
 * Everything routing knows about targets beyond the config: breakers, in-flight counts, latencies, engines' metrics,
 * cool-downs, readiness, where conversations went, and what spilling cost. Lives outside the config's snapshot, so that a
 * reload forgets nothing. Keyed by configured names only, so bounded; conversations have a bound of their own.
 */
export class LiveState {
  readonly #breakerLimits: BreakerLimits;
  readonly #deployments = new Map<DeploymentId, DeploymentState>();
  readonly #readiness = new Map<DeploymentId, ReadinessState>();
  readonly #upstreams = new Map<string, UpstreamState>();
  readonly conversations = new ConversationMemory();
  readonly spillCap = new SpillCap();
  /** Told each time a breaker opens, with the monotonic time until which it stays so. */
  onOpened: ((target: DeploymentId, untilMs: number) => void) | undefined;
  /** Told each time an operator takes an upstream out of service, or back. */
  onDrained: ((upstream: string, isDrained: boolean) => void) | undefined;
  /** Told each time an upstream did not answer. */
  onUnreachable: ((upstream: string) => void) | undefined;
  /** Told each time a target asked to be left alone. */
  onCooled: ((target: DeploymentId, ms: number, reason: RoutingReason) => void) | undefined;

  constructor(breakerLimits: BreakerLimits) {
    this.#breakerLimits = breakerLimits;
  }

  deployment(target: Deployment): DeploymentState {
    let state = this.#deployments.get(target.id);
    if (state === undefined) {
      state = {
        breaker: new CircuitBreaker(this.#breakerLimits, (untilMs) => this.onOpened?.(target.id, untilMs)),
        inFlight: 0,
        coolUntilMs: 0,
        coolReason: "rate_limited",
        latency: new LatencyWindow(),
        ttft: new TtftPredictor(),
        lastBegunMs: undefined,
      };
      this.#deployments.set(target.id, state);
    }
    return state;
  }

  /** An attempt goes out. Each needs its `end`. */
  begin(target: Deployment, work: WorkAhead, nowMs: number): RunningAttempt {
    const state = this.deployment(target);
    const upstream = this.#upstream(target.upstream.name);
    const around = (atMs: number): Surroundings => this.surroundings(target, atMs);
    const running = state.ttft.begin(this.uncachedTokens(target, work, nowMs), work.streams, around(nowMs));
    state.inFlight++;
    upstream.inFlight++;
    state.lastBegunMs = nowMs;
    return new RunningAttempt(target, state, running, work, {
      around,
      conversations: this.conversations,
      release() {
        state.inFlight--;
        upstream.inFlight--;
      },
    });
  }

  /** Prompt tokens a target would have to read: all but those of the conversation's last turn, if it served that. */
  uncachedTokens(target: Deployment, work: Omit<WorkAhead, "streams">, nowMs: number): number {
    return Math.max(0, work.inputTokens - this.conversations.warmTokens(work.conversationHash, target, nowMs));
  }

  /** What predictions for a deployment go by now: slots as configured, else as its engine tells, and others' requests. */
  surroundings(target: Deployment, nowMs: number): Surroundings {
    const { inFlight, engine } = this.#upstream(target.upstream.name);
    const { slots } = target;
    const foreign = engine.foreign(nowMs);
    // Configured slots are the deployment's own, an engine's are for all that it serves.
    const neighbours = slots === undefined ? inFlight - this.deployment(target).inFlight : 0;
    const inTurn = target.upstream.placement === "local";
    return { nowMs, slots: slots ?? engine.slots(nowMs), others: neighbours + foreign, inTurn };
  }

  /** An engine's metrics were read. */
  noteLoad(upstream: string, figures: EngineFigures, slots: number | undefined, nowMs: number): void {
    const state = this.#upstream(upstream);
    state.engine.note(figures, slots, state.inFlight, nowMs);
  }

  /** What the metrics of an upstream's engine tell. */
  engine(upstream: string): EngineWatch {
    return this.#upstream(upstream).engine;
  }

  /** What an upstream's own probe tells, for all that it serves. */
  upstreamReadiness(upstream: string): UpstreamReadiness {
    return this.#upstream(upstream).readiness;
  }

  readiness(target: Deployment, nowMs: number): Readiness {
    const { readiness, isDrained } = this.#upstream(target.upstream.name);
    return this.readinessState(target).see(target, readiness, isDrained, nowMs);
  }

  /** What a deployment's readiness follows from beside its upstream, and who wants it. */
  readinessState(target: Deployment): ReadinessState {
    let state = this.#readiness.get(target.id);
    if (state === undefined) {
      state = new ReadinessState();
      this.#readiness.set(target.id, state);
    }
    return state;
  }

  /** Whether the next request may have to wait for the model to be loaded. Only ever for one's own. */
  mayLoad(target: Deployment, nowMs: number): boolean {
    if (target.upstream.placement !== "local") return false;
    const readiness = this.readiness(target, nowMs);
    if (readiness === "cold" || readiness === "warming") return true;
    // What failed is not waited for longer than what works.
    return mayServe(readiness) && this.readinessState(target).mayLoad(nowMs);
  }

  /** Requests that want the deployment now, also while it is cold: on it, waiting for it, and lately passed over. */
  demand(target: Deployment, nowMs: number): number {
    return this.deployment(target).inFlight + this.readinessState(target).demand.count(nowMs);
  }

  /** An operator takes an upstream out of service, or back into it. Running requests go on. */
  setDrained(upstream: string, isDrained: boolean): void {
    this.followDrained(upstream, isDrained);
    this.onDrained?.(upstream, isDrained);
  }

  /** Another replica's operator did. */
  followDrained(upstream: string, isDrained: boolean): void {
    this.#upstream(upstream).isDrained = isDrained;
  }

  isDrained(upstream: string): boolean {
    return this.#upstream(upstream).isDrained;
  }

  /** Monotonic time of the upstream's last answer of any kind; 0 for never. */
  lastAnswerMs(upstream: string): number {
    return this.#upstream(upstream).lastAnswerMs;
  }

  /** Monotonic time of the last request it served; 0 for never. */
  lastServedMs(target: Deployment): number {
    return this.readinessState(target).lastServedMs;
  }

  /** It served a request: the best proof of readiness there is. */
  markServed(target: Deployment, nowMs: number): void {
    const { name } = target.upstream;
    this.markReady(name, nowMs);
    this.readinessState(target).noteServed(nowMs);
  }

  /** One model answered that it is being loaded: its neighbours may serve all the same. Believed until `untilMs` at most. */
  markLoading(target: Deployment, untilMs: number, nowMs: number): void {
    this.readinessState(target).noteLoading(untilMs);
    this.#upstream(target.upstream.name).lastAnswerMs = nowMs;
  }

  /** A server told of one of its models; undefined when it does not. */
  noteLoadOf(target: Deployment, load: ModelLoad | undefined): void {
    this.readinessState(target).noteLoad(load);
  }

  /** It answered a probe and can serve. */
  markReady(upstream: string, nowMs: number): void {
    const state = this.#upstream(upstream);
    state.readiness = "ready";
    state.wasReady = true;
    state.lastAnswerMs = nowMs;
  }

  /** It answered that it is starting or asleep. */
  markCold(upstream: string, nowMs: number): void {
    const state = this.#upstream(upstream);
    state.readiness = "cold";
    state.lastAnswerMs = nowMs;
  }

  /** It did not answer: cold when it never served since this process began (nothing was lost), else down. */
  markUnreachable(upstream: string): void {
    const state = this.#upstream(upstream);
    state.readiness = state.wasReady ? "down" : "cold";
    this.onUnreachable?.(upstream);
  }

  /** Forgets deployments and upstreams that the config no longer has. */
  sweep(deployments: readonly Deployment[]): void {
    const ids = new Set(deployments.map((deployment) => deployment.id));
    const names = new Set(deployments.map((deployment) => deployment.upstream.name));
    for (const id of this.#deployments.keys()) if (!ids.has(id)) this.#deployments.delete(id);
    for (const id of this.#readiness.keys()) if (!ids.has(id)) this.#readiness.delete(id);
    for (const name of this.#upstreams.keys()) if (!names.has(name)) this.#upstreams.delete(name);
  }

  #upstream(name: string): UpstreamState {
    let state = this.#upstreams.get(name);
    if (state === undefined) {
      state = {
        readiness: "unknown",
        wasReady: false,
        lastAnswerMs: 0,
        inFlight: 0,
        isDrained: false,
        engine: new EngineWatch(),
      };
      this.#upstreams.set(name, state);
    }
    return state;
  }
}
