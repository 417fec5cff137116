import { SlotQueue } from "./slot-queue.ts";

/** Values that replace the measured ones in `/metrics` and `/slots`. */
export interface MetricOverrides {
  readonly running?: number;
  readonly waiting?: number;
  readonly kvUsage?: number;
}

const MAX_KEYED = 256;

/** What the simulated engine is doing now: health, cold start, load, pace and counters. */
export class EngineState {
  healthy = true;
  /** How long a wake-up takes. */
  wakeMs = 0;
  tokensPerSecond: number | null;
  firstTokenMs: number;
  overrides: MetricOverrides = {};
  readonly slots: SlotQueue;
  readonly counters = {
    prompt: 0,
    generated: 0,
    firstTokenSeconds: 0,
    finished: new Map<string, number>(),
    answers: 0,
  };
  readonly #queues = new Map<number, SlotQueue>();
  readonly #warmed = new Set<string>();
  #coldUntil = 0;
  #isAsleep = false;
  #awakeAt = Number.POSITIVE_INFINITY;

  constructor(slots: number | null, tokensPerSecond: number | null, firstTokenMs: number) {
    this.slots = new SlotQueue(slots ?? Number.POSITIVE_INFINITY);
    this.tokensPerSecond = tokensPerSecond;
    this.firstTokenMs = firstTokenMs;
  }

  /** Milliseconds until the model is loaded; 0 when it is. */
  get coldForMs(): number {
    return Math.max(0, this.#coldUntil - performance.now());
  }

  /** Asleep, or with its model unloaded. */
  get sleeping(): boolean {
    return this.#isAsleep && performance.now() < this.#awakeAt;
  }

  set sleeping(asleep: boolean) {
    this.#isAsleep = asleep;
    this.#awakeAt = Number.POSITIVE_INFINITY;
  }

  /** Begins to wake, unless it does already; returns the milliseconds until it is awake. */
  wake(): number {
    if (!this.sleeping) return 0;
    this.#awakeAt = Math.min(this.#awakeAt, performance.now() + this.wakeMs);
    // A timer may fire a fraction of a millisecond early.
    return Math.max(0, Math.ceil(this.#awakeAt - performance.now()) + 1);
  }

  setCold(ms: number): void {
    this.#coldUntil = performance.now() + ms;
  }

  /** Starts one cold start per key; later calls with that key change nothing. */
  setColdOnce(key: string, ms: number): void {
    if (this.#warmed.has(key) || this.#warmed.size >= MAX_KEYED) return;
    this.#warmed.add(key);
    this.setCold(ms);
  }

  /** Returns the queue shared by all faults that ask for this many slots. */
  queueOf(slots: number): SlotQueue {
    const known = this.#queues.get(slots);
    if (known !== undefined) return known;
    const queue = new SlotQueue(slots);
    if (this.#queues.size < MAX_KEYED) this.#queues.set(slots, queue);
    return queue;
  }

  get running(): number {
    return this.overrides.running ?? this.#sum((queue) => queue.running);
  }

  get waiting(): number {
    return this.overrides.waiting ?? this.#sum((queue) => queue.waiting);
  }

  get kvUsage(): number {
    if (this.overrides.kvUsage !== undefined) return this.overrides.kvUsage;
    const limit = Number.isFinite(this.slots.limit) ? this.slots.limit : 64;
    return Math.min(1, this.running / limit);
  }

  /** Adds one finished answer to the counters behind `/metrics`. */
  count(promptTokens: number, generated: number, firstTokenMs: number, finish: string): void {
    this.counters.answers++;
    this.counters.prompt += promptTokens;
    this.counters.generated += generated;
    this.counters.firstTokenSeconds += firstTokenMs / 1000;
    this.counters.finished.set(finish, (this.counters.finished.get(finish) ?? 0) + 1);
  }

  #sum(of: (queue: SlotQueue) => number): number {
    let total = of(this.slots);
    for (const queue of this.#queues.values()) total += of(queue);
    return total;
  }
}
