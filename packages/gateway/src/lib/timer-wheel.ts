interface Timer {
  readonly fire: () => void;
  /** Tick at which it is due. */
  readonly dueTick: number;
}

/**
 * Many coarse timers for the price of one: starting and cancelling is a set operation, and the system's timer runs only
 * while something waits. A timer fires up to one tick late, never early. Due ones fire in the order of their ticks. One
 * that throws keeps no other from firing; its error leaves the tick uncaught.
 */
export class TimerWheel {
  readonly #tickMs: number;
  readonly #nowMs: () => number;
  readonly #slots = new Map<number, Set<Timer>>();
  #doneTick: number;
  #size = 0;
  #interval: ReturnType<typeof setInterval> | undefined;

  constructor(tickMs: number, nowMs: () => number) {
    this.#tickMs = tickMs;
    this.#nowMs = nowMs;
    this.#doneTick = Math.floor(nowMs() / tickMs);
  }

  /** Timers that wait. */
  get size(): number {
    return this.#size;
  }

  after(ms: number, fire: () => void): () => void {
    if (this.#size === 0) this.#start();
    const dueTick = Math.max(this.#doneTick + 1, Math.ceil((this.#nowMs() + ms) / this.#tickMs));
    const timer: Timer = { fire, dueTick };
    let slot = this.#slots.get(dueTick);
    if (slot === undefined) {
      slot = new Set();
      this.#slots.set(dueTick, slot);
    }
    slot.add(timer);
    this.#size++;
    return () => this.#remove(timer);
  }

  #remove(timer: Timer): void {
    if (this.#slots.get(timer.dueTick)?.delete(timer)) this.#size--;
  }

  #start(): void {
    this.#doneTick = Math.floor(this.#nowMs() / this.#tickMs);
    this.#slots.clear();
    this.#interval ??= setInterval(() => this.#turn(), this.#tickMs);
  }

  #turn(): void {
    const tick = Math.floor(this.#nowMs() / this.#tickMs);
    const errors: unknown[] = [];
    for (let at = this.#doneTick + 1; at <= tick; at++) {
      // Set before anything fires: what is started from within is due later than this slot.
      this.#doneTick = at;
      this.#fireSlot(at, errors);
    }
    if (this.#size === 0) {
      clearInterval(this.#interval);
      this.#interval = undefined;
      this.#slots.clear();
    }
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors, "Several timers failed.");
  }

  #fireSlot(tick: number, errors: unknown[]): void {
    const slot = this.#slots.get(tick);
    if (slot === undefined) return;
    for (const timer of slot) {
      // A set's iteration skips what was taken out before its turn, so one timer may cancel the next.
      slot.delete(timer);
      this.#size--;
      try {
        timer.fire();
      } catch (thrown) {
        errors.push(thrown);
      }
    }
    this.#slots.delete(tick);
  }
}
