import type { RoutingReason } from "@fairlead/contract/names";
import type { Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { GatewayError } from "../core/errors.ts";
import type { Attempt } from "../core/exchange.ts";
import { meterAttempt } from "../ledger/meter-attempt.ts";
import type { SelfHostedMeter } from "../ledger/self-hosted-meter.ts";
import type { Clock } from "../lib/clock.ts";
import type { LiveState } from "../routing/live-state.ts";
import type { AttemptResult, RunningAttempt } from "../routing/running-attempt.ts";

/** How long a target is left alone when it did not say. */
const defaultCoolMs = 1_000;
const longCoolMs = 60_000;
/** How soon a loading model is asked again. */
const loadingCoolMs = 2_000;

function fullReason(target: Deployment): RoutingReason {
  return target.upstream.placement === "local" ? "local_full" : "rate_limited";
}

/** What keeps count of attempts. */
interface CountingDeps {
  readonly live: LiveState;
  readonly meter: SelfHostedMeter;
}

/** Reports how one attempt ended to everything that keeps count, once, whichever way it ends. */
export class AttemptEnd {
  readonly #entry: Attempt;
  readonly #target: Deployment;
  readonly #live: LiveState;
  readonly #meter: SelfHostedMeter;
  readonly #clock: Clock;
  readonly #features: Features | undefined;
  readonly #release: () => void;
  readonly #report: (result: AttemptResult | "progress", atMs: number) => void;
  readonly #running: RunningAttempt;
  #ended = false;

  constructor(
    entry: Attempt,
    { live, meter }: CountingDeps,
    clock: Clock,
    features: Features | undefined,
    streams: boolean,
    release: () => void,
  ) {
    this.#features = features;
    this.#entry = entry;
    const { target } = entry;
    this.#target = target;
    this.#live = live;
    this.#meter = meter;
    this.#clock = clock;
    this.#release = release;
    const { inputTokens = 0, conversationHash = 0 } = features ?? {};
    this.#running = live.begin(target, { inputTokens, conversationHash, streams }, entry.startedMs);
    meter.began(target.upstream.name, entry.startedMs);
    this.#report = live.deployment(target).breaker.begin(entry.startedMs);
  }

  /** The first content of a stream came. */
  firstContent(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#running.firstToken(nowMs);
    if (!this.#ended) this.#report("progress", nowMs);
  }

  succeeded(): void {
    const nowMs = this.#end("success");
    if (nowMs === undefined) return;
    this.#report("success", nowMs);
    this.#live.markServed(this.#target, nowMs);
  }

  /** The client left: nobody's fault. */
  abandoned(): void {
    const nowMs = this.#end("neutral");
    if (nowMs !== undefined) this.#report("neutral", nowMs);
  }

  /** `isClients`: it was the client that kept the upstream waiting, so its limit says nothing of the upstream. */
  failed(error: GatewayError, isClients = false): void {
    if (!this.#ended) this.#entry.error = error;
    const result = error.row.breaker === "failure" && !isClients ? "failure" : "neutral";
    const nowMs = this.#end(result);
    if (nowMs === undefined) return;
    this.#report(result, nowMs);
    this.#updateLiveState(error, nowMs);
  }

  #end(result: AttemptResult): number | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    this.#release();
    this.#entry.endedMs = this.#clock.monotonicMs();
    meterAttempt(this.#entry, this.#features, result === "success");
    const { inputTokens, outputTokens } = this.#entry.usage;
    this.#running.end(result, outputTokens, this.#entry.endedMs);
    this.#meter.ended(this.#target.upstream.name, inputTokens + outputTokens, this.#entry.endedMs);
    return this.#entry.endedMs;
  }

  #updateLiveState(error: GatewayError, nowMs: number): void {
    const { upstream } = this.#target;
    const state = this.#live.deployment(this.#target);
    const cool = (ms: number, reason: RoutingReason): void => {
      state.coolUntilMs = Math.max(state.coolUntilMs, nowMs + Math.min(ms, longCoolMs));
      state.coolReason = reason;
      this.#live.onCooled?.(this.#target.id, Math.min(ms, longCoolMs), reason);
    };
    switch (error.code) {
      case "rate_limited":
        cool(error.detail.retryAfterMs ?? defaultCoolMs, "rate_limited");
        return;
      case "overloaded":
        this.#passedOver(nowMs);
        if (error.detail.retryAfterMs !== undefined) cool(error.detail.retryAfterMs, fullReason(this.#target));
        return;
      case "quota_exhausted":
        cool(longCoolMs, "quota_exhausted");
        return;
      case "upstream_auth":
        cool(longCoolMs, "key_refused");
        return;
      case "model_not_found":
        cool(longCoolMs, "model_missing");
        return;
      case "model_loading":
        if (upstream.placement === "local") this.#loads(error.detail.retryAfterMs ?? loadingCoolMs, nowMs);
        else cool(error.detail.retryAfterMs ?? loadingCoolMs, "cloud_down");
        return;
      // Only a probe finds out that such an upstream is back, so without one the breaker alone decides.
      case "unreachable":
        this.#passedOver(nowMs);
        if (upstream.health !== undefined && error.detail.refused) this.#live.markUnreachable(upstream.name);
        return;
      case "connect_timeout":
        this.#passedOver(nowMs);
        if (upstream.health !== undefined) this.#live.markUnreachable(upstream.name);
        return;
      default:
        return;
    }
  }

  /** Holds for this model alone: what else its server has may be there. */
  #loads(forMs: number, nowMs: number): void {
    this.#live.markLoading(this.#target, nowMs + Math.min(forMs, longCoolMs), nowMs);
    this.#passedOver(nowMs);
  }

  /** The request still wants it, wherever it goes now. */
  #passedOver(nowMs: number): void {
    if (this.#target.upstream.placement !== "local" || this.#entry.isAgain) return;
    this.#live.readinessState(this.#target).demand.passedOver(nowMs);
  }
}
