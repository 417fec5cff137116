const dayMs = 86_400_000;
const bucketMs = 900_000;
const buckets = dayMs / bucketMs;

/** Money saved up in quiet hours may be spent later, up to this part of a day's; more would come as a burst. */
const savedPartOfDay = 1 / 8;

/** Requests that were sent and told no cost are forgotten with this time constant. */
const pendingMs = 600_000;

/** Weight of the newest cost and the newest gap in their averages. */
const costWeight = 0.05;
const gapWeight = 0.02;

/** While no cost is known, so many requests are sent to learn it. */
const probes = 4;

/** What dollars mean in requests just now. */
export interface Pace {
  /** Of requests that may go to cloud in the long run, 0 to 1. */
  readonly share: number;
  /** Cloud requests owed (positive) or sent too many. */
  readonly debt: number;
}

const unspent: Pace = { share: 0, debt: 0 };

/** Turns dollars per day into a share of requests: by what they have cost, how fast they come and what was spent. */
export class DollarPace {
  readonly #dollars: number;
  readonly #spentIn = new Float64Array(buckets);
  #bucket = 0;
  #rolling = 0;
  #credit = 0;
  #pending = 0;
  #meanCost: number | undefined;
  #meanGapMs: number | undefined;
  #lastMs: number | undefined;

  constructor(dollarsPerDay: number) {
    this.#dollars = dollarsPerDay;
  }

  /** Counts a request's arrival and says what may be sent. */
  arrive(nowMs: number): Pace {
    this.#pass(nowMs);
    return this.now();
  }

  /** What may be sent, as of the last arrival. */
  now(): Pace {
    const cost = this.#meanCost;
    if (this.#dollars <= 0 || this.#rolling + this.#pending * (cost ?? 0) >= this.#dollars) return unspent;
    if (cost === undefined) return this.#pending < probes ? { share: 0.5, debt: 0 } : unspent;
    // Free requests cannot overspend.
    if (cost === 0) return { share: 1, debt: 1 };
    const perRequest = (this.#dollars / dayMs) * (this.#meanGapMs ?? dayMs);
    return { share: Math.min(1, perRequest / cost), debt: this.#credit / cost - this.#pending };
  }

  /** A request goes to cloud; its cost is not known yet. */
  send(): void {
    this.#pending++;
  }

  /** What a request did cost, in dollars. */
  spent(costUsd: number, nowMs: number): void {
    const cost = Number.isFinite(costUsd) ? Math.max(0, costUsd) : 0;
    this.#rotate(nowMs);
    const at = this.#bucket % buckets;
    this.#spentIn[at] = (this.#spentIn[at] ?? 0) + cost;
    this.#rolling += cost;
    this.#credit -= cost;
    this.#pending = Math.max(0, this.#pending - 1);
    this.#meanCost = this.#meanCost === undefined ? cost : this.#meanCost + costWeight * (cost - this.#meanCost);
  }

  #pass(nowMs: number): void {
    this.#rotate(nowMs);
    const gap = this.#lastMs === undefined ? undefined : Math.max(0, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (gap === undefined) return;
    this.#meanGapMs = this.#meanGapMs === undefined ? gap : this.#meanGapMs + gapWeight * (gap - this.#meanGapMs);
    this.#pending *= Math.exp(-gap / pendingMs);
    const accrued = this.#credit + (this.#dollars * gap) / dayMs;
    this.#credit = Math.min(accrued, this.#dollars * savedPartOfDay);
  }

  #rotate(nowMs: number): void {
    const bucket = Math.floor(nowMs / bucketMs);
    const steps = Math.min(buckets, bucket - this.#bucket);
    if (steps <= 0) return;
    for (let step = 1; step <= steps; step++) this.#spentIn[(bucket - steps + step) % buckets] = 0;
    this.#bucket = bucket;
    this.#rolling = this.#spentIn.reduce((sum, part) => sum + part, 0);
  }
}
