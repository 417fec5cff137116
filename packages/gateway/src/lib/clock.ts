import type { Brand } from "./brand.ts";

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = Brand<number, "EpochMs">;

/** Time and timers as the gateway sees them, passed in so that tests can move them. */
export interface Clock {
  /** Wall clock, for records. May jump. */
  now(): EpochMs;
  /** Monotonic milliseconds with fractions, for durations. */
  monotonicMs(): number;
  /** Calls `fire` once after `ms`; the returned function cancels it. */
  after(ms: number, fire: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonicMs: () => performance.now(),
  after(ms, fire) {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
};
