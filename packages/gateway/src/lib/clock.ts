import type { Brand } from "./brand.ts";
import { TimerWheel } from "./timer-wheel.ts";

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = Brand<number, "EpochMs">;

/** Time and timers as the gateway sees them, passed in so that tests can move them. */
export interface Clock {
  /** Wall clock, for records. May jump. */
  now(): EpochMs;
  /** Monotonic milliseconds with fractions, for durations. */
  monotonicMs(): number;
  /** Calls `fire` once after `ms`, up to 50 ms late for a second and more; the returned function cancels it. */
  after(ms: number, fire: () => void): () => void;
}

/** Limits of a second and more are checked at this grain. */
const wheel = new TimerWheel(50, () => performance.now());
const wheelFromMs = 1_000;

const short = new Set<ReturnType<typeof setTimeout>>();

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonicMs: () => performance.now(),
  after(ms, fire) {
    if (ms >= wheelFromMs) return wheel.after(ms, fire);
    const timer = setTimeout(() => {
      short.delete(timer);
      fire();
    }, ms);
    short.add(timer);
    return () => {
      clearTimeout(timer);
      short.delete(timer);
    };
  },
};

/** Timers of the system clock that wait: what grows here is a leak. */
export const waitingTimers = (): number => wheel.size + short.size;
