import type { Clock, EpochMs } from "../../lib/clock.ts";

/** Stands at the time of the recorded request that is decided again; never runs backwards. */
export class ReplayClock implements Clock {
  #nowMs = 0;

  /** Returns the time it is now: the given one, or a later one where the record went back. */
  moveTo(atMs: number): number {
    this.#nowMs = Math.max(this.#nowMs, atMs);
    return this.#nowMs;
  }

  now(): EpochMs {
    return this.#nowMs as EpochMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Nothing of a replay waits. */
  after(): () => void {
    return () => undefined;
  }
}
