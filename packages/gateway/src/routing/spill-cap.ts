import { fromDollars, toDollars } from "../core/money.ts";

const bucketMs = 60_000;
/** An hour and the minute that has just begun: a dollar counts for at least an hour, at most a minute longer. */
const buckets = 61;

/** Replaces a hold by what it really cost; later calls do nothing. */
export type SettleSpill = (costUsd: number, nowMs: number) => void;

/**
 * Dollars that requests may cost which left their local target (requirement C6), over a sliding hour. A hold counts from
 * the moment it is made, so requests that run at once cannot pass the cap together. Exact in nano-dollars, bounded.
 */
export class SpillCap {
  #capNano = Number.POSITIVE_INFINITY;
  #heldNano = 0;
  readonly #settled = new Float64Array(buckets);
  #newestBucket = 0;

  /** Undefined for no cap. */
  constructor(maxUsdPerHour?: number) {
    this.setCap(maxUsdPerHour);
  }

  /** Sets another cap; what was spent stays spent. */
  setCap(maxUsdPerHour: number | undefined): void {
    this.#capNano = maxUsdPerHour === undefined ? Number.POSITIVE_INFINITY : fromDollars(maxUsdPerHour);
  }

  /** Whether such a request would fit now. One that nobody can price (infinite) fits only where nothing is capped. */
  admits(costUsd: number, nowMs: number): boolean {
    if (this.#capNano === Number.POSITIVE_INFINITY) return true;
    return this.#usedNano(nowMs) + fromDollars(costUsd) <= this.#capNano;
  }

  /** Holds what a request is expected to cost until it is settled; undefined when it does not fit. */
  hold(costUsd: number, nowMs: number): SettleSpill | undefined {
    if (!this.admits(costUsd, nowMs)) return undefined;
    const nano = Number.isFinite(costUsd) ? fromDollars(costUsd) : 0;
    this.#heldNano += nano;
    let open = true;
    return (settledUsd, settledMs) => {
      if (!open) return;
      open = false;
      this.#heldNano -= nano;
      this.#advance(settledMs);
      const at = this.#newestBucket % buckets;
      this.#settled[at] = (this.#settled[at] ?? 0) + fromDollars(settledUsd);
    };
  }

  /** Held and settled within the last hour, in dollars. */
  usedUsd(nowMs: number): number {
    return toDollars(this.#usedNano(nowMs));
  }

  #usedNano(nowMs: number): number {
    this.#advance(nowMs);
    return this.#settled.reduce((sum, nano) => sum + nano, this.#heldNano);
  }

  /** Empties the buckets that time has passed. */
  #advance(nowMs: number): void {
    const newest = Math.floor(nowMs / bucketMs);
    if (newest <= this.#newestBucket) return;
    const passed = Math.min(buckets, newest - this.#newestBucket);
    for (let i = 0; i < passed; i++) this.#settled[(newest - i) % buckets] = 0;
    this.#newestBucket = newest;
  }
}
