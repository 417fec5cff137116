interface Timer {
  readonly fire: () => void;
  /** Tick at which it is due. */
  readonly dueTick: number;
}

/**
 * Many coarse timers for the price of one: starting and cancelling is a set operation, and the system's timer runs only
 * while something waits. A timer fires up to one tick late, never early. Due ones fire in the order of their ticks.
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

  after(ms: number, fire: () => void): () => void {
    if (this.#size === 0) this.#start();
    const dueTick = Math.ceil((this.#nowMs() + ms) / this.#tickMs);
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
    for (let at = this.#doneTick + 1; at <= tick; at++) this.#fireSlot(at);
    this.#doneTick = tick;
    if (this.#size > 0) return;
    clearInterval(this.#interval);
    this.#interval = undefined;
    this.#slots.clear();
  }

  #fireSlot(tick: number): void {
    const slot = this.#slots.get(tick);
    if (slot === undefined) return;
    this.#slots.delete(tick);
    for (const timer of slot) {
      this.#size--;
      timer.fire();
    }
  }
}
