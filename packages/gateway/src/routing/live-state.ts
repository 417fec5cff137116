import type { RoutingReason } from "@fairlead/contract/names";
import type { Deployment, DeploymentId } from "../core/deployment.ts";
import type { BreakerLimits } from "../core/gateway-model.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";

/** What is known of an upstream's readiness. `unknown` (never asked) is treated as ready. */
export type Readiness = "unknown" | "ready" | "cold" | "down";

/** Facts about one deployment that outlive requests and configs. */
export interface DeploymentState {
  readonly breaker: CircuitBreaker;
  inFlight: number;
  /** Monotonic time until which the target is left alone. */
  coolUntilMs: number;
  /** Why it is left alone. */
  coolReason: RoutingReason;
}

interface UpstreamState {
  readiness: Readiness;
  wasReady: boolean;
  lastAnswerMs: number;
  lastServedMs: number;
}

/**
 * Everything routing knows about targets beyond the config: breakers, in-flight counts, cool-downs and readiness.
 * Lives outside the config's snapshot, so that a reload forgets nothing. Keyed by configured names only, so bounded.
 */
export class LiveState {
  readonly #breakerLimits: BreakerLimits;
  readonly #deployments = new Map<DeploymentId, DeploymentState>();
  readonly #upstreams = new Map<string, UpstreamState>();

  constructor(breakerLimits: BreakerLimits) {
    this.#breakerLimits = breakerLimits;
  }

  deployment(target: Deployment): DeploymentState {
    let state = this.#deployments.get(target.id);
    if (state === undefined) {
      state = {
        breaker: new CircuitBreaker(this.#breakerLimits),
        inFlight: 0,
        coolUntilMs: 0,
        coolReason: "rate_limited",
      };
      this.#deployments.set(target.id, state);
    }
    return state;
  }

  readiness(upstream: string): Readiness {
    return this.#upstream(upstream).readiness;
  }

  /** Monotonic time of the upstream's last answer of any kind; 0 for never. */
  lastAnswerMs(upstream: string): number {
    return this.#upstream(upstream).lastAnswerMs;
  }

  /** Monotonic time of the last request it served; 0 for never. */
  lastServedMs(upstream: string): number {
    return this.#upstream(upstream).lastServedMs;
  }

  /** It served a request: the best proof of readiness there is. */
  markServed(upstream: string, nowMs: number): void {
    this.markReady(upstream, nowMs);
    this.#upstream(upstream).lastServedMs = nowMs;
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
  }

  /** Forgets deployments and upstreams that the config no longer has. */
  sweep(deployments: readonly Deployment[]): void {
    const ids = new Set(deployments.map((deployment) => deployment.id));
    const names = new Set(deployments.map((deployment) => deployment.upstream.name));
    for (const id of this.#deployments.keys()) if (!ids.has(id)) this.#deployments.delete(id);
    for (const name of this.#upstreams.keys()) if (!names.has(name)) this.#upstreams.delete(name);
  }

  #upstream(name: string): UpstreamState {
    let state = this.#upstreams.get(name);
    if (state === undefined) {
      state = { readiness: "unknown", wasReady: false, lastAnswerMs: 0, lastServedMs: 0 };
      this.#upstreams.set(name, state);
    }
    return state;
  }
}
