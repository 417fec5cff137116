import type { BreakerLimits } from "../core/gateway-model.ts";

export type BreakerState = "closed" | "open" | "half-open";

/** Longest cool-down that repeated re-opening leads to, as a multiple of the first. */
const maxExtension = 8;

/**
 * Keeps requests from a deployment that keeps failing. Closed → open after `failures` in a row; after the cool-down
 * half-open with a few trials at a time; as many successes close it, one failure opens it again, for twice as long.
 * Client faults and aborts are reported as `neutral` and change nothing.
 */
export class CircuitBreaker {
  readonly #limits: BreakerLimits;
  #state: BreakerState = "closed";
  #failuresInRow = 0;
  #openUntilMs = 0;
  #openings = 0;
  #trialsRunning = 0;
  #trialsPassed = 0;

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  state(nowMs: number): BreakerState {
    if (this.#state === "open" && nowMs >= this.#openUntilMs) {
      this.#state = "half-open";
      this.#trialsRunning = 0;
      this.#trialsPassed = 0;
    }
    return this.#state;
  }

  /** Would a request be let through now? Takes no trial. */
  admits(nowMs: number): boolean {
    const state = this.state(nowMs);
    if (state === "closed") return true;
    return state === "half-open" && this.#trialsRunning < this.#limits.halfOpenTrials;
  }

  /** Milliseconds until an open breaker lets a trial through; 0 when it does now. */
  waitMs(nowMs: number): number {
    return this.state(nowMs) === "open" ? Math.max(0, this.#openUntilMs - nowMs) : 0;
  }

  /** Starts an attempt; every `begin` is followed by exactly one call of the returned function. */
  begin(nowMs: number): (result: "success" | "failure" | "neutral", endedMs: number) => void {
    const trial = this.state(nowMs) === "half-open";
    const opening = this.#openings;
    if (trial) this.#trialsRunning++;
    let reported = false;
    return (result, endedMs) => {
      if (reported) return;
      reported = true;
      const sameTrial = trial && this.#state === "half-open" && opening === this.#openings;
      if (sameTrial) this.#trialsRunning--;
      if (result === "neutral") return;
      if (sameTrial) this.#trialEnded(result, endedMs);
      else if (this.#state === "closed") this.#countClosed(result, endedMs);
    };
  }

  #trialEnded(result: "success" | "failure", nowMs: number): void {
    if (result === "failure") {
      this.#open(nowMs);
      return;
    }
    this.#trialsPassed++;
    if (this.#trialsPassed < this.#limits.halfOpenTrials) return;
    this.#state = "closed";
    this.#failuresInRow = 0;
    this.#openings = 0;
  }

  #countClosed(result: "success" | "failure", nowMs: number): void {
    this.#failuresInRow = result === "success" ? 0 : this.#failuresInRow + 1;
    if (this.#failuresInRow >= this.#limits.failures) this.#open(nowMs);
  }

  #open(nowMs: number): void {
    this.#state = "open";
    const extension = Math.min(2 ** this.#openings, maxExtension);
    this.#openings++;
    this.#openUntilMs = nowMs + this.#limits.cooldownMs * extension;
    this.#failuresInRow = 0;
  }
}
