/** Work in progress on a server as its own metrics tell. Undefined is unknown, which is not zero. */
export interface EngineFigures {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUsage: number | undefined;
}

/** Older figures are ignored. */
const staleMs = 30_000;
/** With less cache left than this an engine takes nobody in, however many slots it has. */
const fullCache = 0.95;
/** Scrapes that must agree before a surplus counts as somebody else's: own requests come and go while figures lag. */
const agreeing = 4;

/**
 * What one engine's metrics add to the gateway's own counts: how many it runs at once, and requests that came from
 * elsewhere. Figures lag by seconds, so they correct slowly and never replace what the gateway knows itself.
 */
export class EngineWatch {
  #figures: EngineFigures | undefined;
  #notedMs = 0;
  #toldSlots: number | undefined;
  #fullAt: number | undefined;
  #ownBefore = 0;
  readonly #surplus: number[] = [];

  /** `own` is what this gateway has in flight there now. */
  note(figures: EngineFigures, slots: number | undefined, own: number, nowMs: number): void {
    if (nowMs - this.#notedMs > staleMs) this.#forget();
    this.#toldSlots = slots ?? this.#toldSlots;
    this.#figures = figures;
    this.#notedMs = nowMs;
    const { running, waiting, kvUsage } = figures;
    if (running === undefined) return;
    const isFull = (waiting ?? 0) > 0 || (kvUsage ?? 0) >= fullCache;
    if (isFull && running > 0) this.#fullAt = running;
    else if (this.#fullAt !== undefined) this.#fullAt = Math.max(this.#fullAt, running);
    // The figures may be of any moment since the last scrape.
    this.#surplus.push(running + (waiting ?? 0) - Math.max(own, this.#ownBefore));
    if (this.#surplus.length > agreeing) this.#surplus.shift();
    this.#ownBefore = own;
  }

  /** Requests it works on at once: as it told, else as it showed when it was full. */
  slots(nowMs: number): number | undefined {
    return this.#toldSlots ?? (this.#isFresh(nowMs) ? this.#fullAt : undefined);
  }

  /** Requests on it that this gateway did not send. */
  foreign(nowMs: number): number {
    return this.#isFresh(nowMs) && this.#surplus.length === agreeing ? Math.max(0, Math.min(...this.#surplus)) : 0;
  }

  /** Requests that wait there as it tells; undefined when it does not, or not lately. */
  waiting(nowMs: number): number | undefined {
    return this.#isFresh(nowMs) ? this.#figures?.waiting : undefined;
  }

  /** Milliseconds since it last told anything; undefined when it never did. */
  ageMs(nowMs: number): number | undefined {
    return this.#figures === undefined ? undefined : nowMs - this.#notedMs;
  }

  #isFresh(nowMs: number): boolean {
    return this.#figures !== undefined && nowMs - this.#notedMs <= staleMs;
  }

  #forget(): void {
    this.#fullAt = undefined;
    this.#surplus.length = 0;
    this.#ownBefore = 0;
  }
}
