import { MovingAverage } from "./moving-average.ts";
import { PrefillLine } from "./prefill-line.ts";

/** What is known of a target at the moment one asks. */
export interface Surroundings {
  /** Monotonic. */
  readonly nowMs: number;
  /** Requests the engine works on at once, as somebody told; undefined when it must be found out by watching. */
  readonly slots: number | undefined;
  /** Requests on the same engine that are not this deployment's own. */
  readonly others: number;
  /**
   * One engine serves requests in turn, so that one waits for those before it. False for a cloud, where a late answer says
   * nothing of the next one.
   */
  readonly inTurn: boolean;
}

/** An attempt that runs, as the predictor remembers it. Made by `begin`. */
export interface RunningWork {
  readonly beganMs: number;
  /** Tokens to read before its own first token, those of others included. */
  readonly tokensAhead: number;
  readonly uncachedTokens: number;
  readonly streams: boolean;
  /** Predicted milliseconds without a wait for a slot. */
  readonly plainMs: number | undefined;
  /**
   * Predicted wait for a slot before it is corrected by what waits turned out to be; 0 while one is free, undefined when
   * none is and nobody knows how long they take.
   */
  readonly slotWaitMs: number | undefined;
  /** Predicted milliseconds to the first token, all in all. */
  readonly expectedMs: number | undefined;
  readonly wasAlone: boolean;
  firstMs: number | undefined;
}

/** A first token later than this much over its prediction was waiting for something. */
const waitedFactor = 2;
const waitedMs = 100;
/** Keeps the ratio of two small waits from saying anything. */
const smallWaitMs = 50;
const leastCorrection = 0.1;
const mostCorrection = 10;
/** Peak-sensitive: what was worse than predicted counts at once, what was better little by little. */
const learnWorse = 0.3;
const learnBetter = 0.1;
const serviceMemory = 1 / 16;
const slotsMemory = 1 / 4;

/**
 * Predicts milliseconds to the first token on one deployment from the work in flight and from what was measured: base +
 * prefill of uncached tokens (those of requests before it included) + waiting for a slot, + how late the oldest one in
 * the queue already is. Measured times, not counts, so that engines of different speed compare. Constant time; its
 * size is that of the work in flight.
 */
export class TtftPredictor {
  readonly #line = new PrefillLine();
  readonly #serviceMs = new MovingAverage(serviceMemory);
  readonly #awaiting = new Set<RunningWork>();
  #awaitingTokens = 0;
  #decoding = 0;
  #whole = 0;
  #watchedSlots: number | undefined;
  #correction = 1;

  /** Own requests that run or wait there. */
  get inFlight(): number {
    return this.#awaiting.size + this.#decoding + this.#whole;
  }

  /** Slots as told, else as watching showed; undefined while nobody had to wait. */
  slots(told: number | undefined): number | undefined {
    return told ?? (this.#watchedSlots === undefined ? undefined : Math.max(1, Math.round(this.#watchedSlots)));
  }

  /**
   * Milliseconds to the first token of a request with so many tokens to read; undefined while nobody knows. Where only whole
   * answers were seen, the wait for a slot is all that is known, and nothing is while one is free.
   */
  predict(uncachedTokens: number, around: Surroundings): number | undefined {
    const plainMs = this.#line.at(this.#ahead(around) + uncachedTokens);
    const waitMs = this.#slotWait(around);
    if (waitMs === undefined || (plainMs === undefined && waitMs === 0)) return undefined;
    const latenessMs = around.inTurn ? this.#lateness(around.nowMs) : 0;
    return (plainMs ?? 0) + waitMs * this.#correction + latenessMs;
  }

  /** A request goes out. Each needs its `end`. */
  begin(uncachedTokens: number, streams: boolean, around: Surroundings): RunningWork {
    const tokensAhead = this.#ahead(around) + uncachedTokens;
    const work: RunningWork = {
      beganMs: around.nowMs,
      tokensAhead,
      uncachedTokens,
      streams,
      plainMs: this.#line.at(tokensAhead),
      slotWaitMs: this.#slotWait(around),
      expectedMs: this.predict(uncachedTokens, around),
      wasAlone: this.inFlight + around.others === 0,
      firstMs: undefined,
    };
    if (streams) {
      this.#awaiting.add(work);
      this.#awaitingTokens += uncachedTokens;
    } else {
      this.#whole++;
    }
    return work;
  }

  /** The first token of a stream came. */
  firstToken(work: RunningWork, around: Surroundings): void {
    const [oldest] = this.#awaiting;
    if (!this.#leaveQueue(work)) return;
    // Whoever is overtaken says nothing of the queue any more.
    if (oldest !== undefined && oldest !== work) {
      this.#awaiting.delete(oldest);
      this.#awaiting.add(oldest);
    }
    this.#decoding++;
    work.firstMs = around.nowMs;
    const ms = around.nowMs - work.beganMs;
    const waited = around.inTurn && around.slots === undefined && this.#watchSlots(work, ms, around.others);
    if (work.slotWaitMs === 0) {
      if (!waited) this.#line.learn(work.tokensAhead, ms);
    } else if (work.slotWaitMs !== undefined) {
      this.#correct(work.slotWaitMs, ms - (this.#line.at(work.uncachedTokens) ?? 0));
    }
  }

  /** It ended; `complete` when the whole answer came, which alone says how long an answer takes. */
  end(work: RunningWork, complete: boolean, nowMs: number): void {
    if (work.firstMs !== undefined) {
      this.#decoding--;
      if (!complete) return;
      const prefillMs = Math.min(this.#line.at(work.uncachedTokens) ?? 0, work.firstMs - work.beganMs);
      this.#serviceMs.learn(nowMs - work.firstMs + prefillMs);
    } else if (!work.streams) {
      this.#whole--;
      if (!complete || work.slotWaitMs === undefined) return;
      const ms = nowMs - work.beganMs;
      if (work.slotWaitMs === 0) this.#serviceMs.learn(ms);
      else this.#correct(work.slotWaitMs, ms - (this.#serviceMs.value ?? 0));
    } else {
      this.#leaveQueue(work);
    }
  }

  #leaveQueue(work: RunningWork): boolean {
    if (!this.#awaiting.delete(work)) return false;
    this.#awaitingTokens -= work.uncachedTokens;
    return true;
  }

  /** Tokens that are read before a new request's own: while slots are free, those of all that wait for a first token. */
  #ahead({ slots, others, inTurn }: Surroundings): number {
    if (!inTurn) return 0;
    const known = this.slots(slots);
    return known !== undefined && this.inFlight + others >= known ? 0 : this.#awaitingTokens;
  }

  /** Until so many have ended that a slot is free, at the rate at which full slots empty; 0 while one is free. */
  #slotWait({ slots, others }: Surroundings): number | undefined {
    const known = this.slots(slots);
    if (known === undefined) return 0;
    const before = this.inFlight + others - known + 1;
    if (before <= 0) return 0;
    const serviceMs = this.#serviceMs.value;
    return serviceMs === undefined ? undefined : (before * serviceMs) / known;
  }

  /** How much later than predicted the oldest one already is: whoever comes now stands behind it. */
  #lateness(nowMs: number): number {
    if (this.#awaiting.size === 0) return 0;
    const [oldest] = this.#awaiting;
    if (oldest?.expectedMs === undefined) return 0;
    return Math.max(0, nowMs - oldest.beganMs - oldest.expectedMs);
  }

  /**
   * Whoever had to wait got the slot that became free, so as many as run now fill all slots; more at once than was
   * thought possible prove more slots. Tells whether this one waited.
   */
  #watchSlots(work: RunningWork, ms: number, others: number): boolean {
    const running = this.#decoding + this.#whole + others;
    const { plainMs, wasAlone } = work;
    const waited = plainMs !== undefined && !wasAlone && running > 1 && ms > waitedFactor * plainMs + waitedMs;
    if (waited) this.#watchedSlots = running * slotsMemory + (this.#watchedSlots ?? running) * (1 - slotsMemory);
    else if (this.#watchedSlots !== undefined) this.#watchedSlots = Math.max(this.#watchedSlots, running);
    return waited;
  }

  #correct(predictedMs: number, waitedMs: number): void {
    const ratio = (Math.max(0, waitedMs) + smallWaitMs) / (predictedMs + smallWaitMs);
    const step = ratio > this.#correction ? learnWorse : learnBetter;
    const next = this.#correction + step * (ratio - this.#correction);
    this.#correction = Math.min(mostCorrection, Math.max(leastCorrection, next));
  }
}
