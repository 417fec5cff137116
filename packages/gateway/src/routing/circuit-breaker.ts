import type { BreakerLimits } from "../core/gateway-model.ts";

export type BreakerState = "closed" | "open" | "half-open";

/** Longest cool-down that repeated re-opening leads to, as a multiple of the first. */
const maxExtension = 8;
/** The rate's window slides in so many steps. */
const steps = 10;

/**
 * Keeps requests from a deployment that keeps failing. Closed → open after `failures` in a row, or when their share within
 * `windowMs` reaches `failureRate`; after the cool-down half-open with a few trials at a time; as many successes close it,
 * one failure opens it again, for twice as long. Client faults and aborts are reported as `neutral` and change nothing.
 */
export class CircuitBreaker {
  readonly #limits: BreakerLimits;
  /** Told each time it opens, with the monotonic time until which it stays so. */
  readonly #opened: (untilMs: number) => void;
  readonly #tries = new Float64Array(steps);
  readonly #failed = new Float64Array(steps);
  #step = 0;
  #state: BreakerState = "closed";
  #failuresInRow = 0;
  #openUntilMs = 0;
  #openings = 0;
  #trialsRunning = 0;
  #trialsPassed = 0;

  constructor(limits: BreakerLimits, opened: (untilMs: number) => void = () => {}) {
    this.#limits = limits;
    this.#opened = opened;
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

  /** Another replica's opened: here, the next failure in a row is enough. What works here stays in use. */
  suspect(): void {
    if (this.#state === "closed") this.#failuresInRow = Math.max(this.#failuresInRow, this.#limits.failures - 1);
  }

  /**
   * Starts an attempt; every `begin` is followed by exactly one end told to the returned function. `progress` before it says
   * that an answer has begun: a trial then makes room for the next one, long as its stream may be, and counts when it ends.
   */
  begin(nowMs: number): (result: "progress" | "success" | "failure" | "neutral", atMs: number) => void {
    const trial = this.state(nowMs) === "half-open";
    const opening = this.#openings;
    if (trial) this.#trialsRunning++;
    let reported = false;
    let holds = trial;
    return (result, endedMs) => {
      if (reported) return;
      reported = result !== "progress";
      const sameTrial = trial && this.#state === "half-open" && opening === this.#openings;
      if (sameTrial && holds) this.#trialsRunning--;
      holds = false;
      if (result === "neutral" || result === "progress") return;
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
    this.#forget();
  }

  #countClosed(result: "success" | "failure", nowMs: number): void {
    this.#failuresInRow = result === "success" ? 0 : this.#failuresInRow + 1;
    const at = this.#advance(nowMs);
    this.#tries[at] = this.#tries[at]! + 1;
    if (result === "success") return;
    this.#failed[at] = this.#failed[at]! + 1;
    if (this.#failuresInRow >= this.#limits.failures || this.#exceedsRate()) this.#open(nowMs);
  }

  #exceedsRate(): boolean {
    const { minTries, failureRate } = this.#limits;
    let tries = 0;
    let failed = 0;
    for (let i = 0; i < steps; i++) {
      tries += this.#tries[i]!;
      failed += this.#failed[i]!;
    }
    return tries >= minTries && failed >= failureRate * tries;
  }

  /** Lets go of the steps that left the window; the place of the current one. */
  #advance(nowMs: number): number {
    const step = Math.floor((nowMs * steps) / this.#limits.windowMs);
    const gone = Math.min(step - this.#step, steps);
    for (let i = 1; i <= gone; i++) {
      const at = (this.#step + i) % steps;
      this.#tries[at] = 0;
      this.#failed[at] = 0;
    }
    if (gone > 0) this.#step = step;
    return this.#step % steps;
  }

  #forget(): void {
    this.#tries.fill(0);
    this.#failed.fill(0);
  }

  #open(nowMs: number): void {
    this.#state = "open";
    const extension = Math.min(2 ** this.#openings, maxExtension);
    this.#openings++;
    this.#openUntilMs = nowMs + this.#limits.cooldownMs * extension;
    this.#failuresInRow = 0;
    this.#forget();
    this.#opened(this.#openUntilMs);
  }
}
