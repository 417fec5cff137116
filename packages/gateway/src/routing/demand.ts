const windowSeconds = 60;

/**
 * Requests that want one deployment beside those that run on it: those that wait for it, and those of the last minute that
 * were served elsewhere because of its state. Constant in size.
 */
export class Demand {
  readonly #seconds = new Uint32Array(windowSeconds);
  #lastSecond = 0;
  #waiting = 0;
  #lastMs: number | undefined;

  /** Monotonic time at which somebody last wanted it; undefined for never. */
  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  /** A request preferred it and went elsewhere because it was cold, drained, gone or full. */
  passedOver(nowMs: number): void {
    this.#forget(nowMs);
    const at = Math.floor(nowMs / 1000) % windowSeconds;
    this.#seconds[at] = (this.#seconds[at] ?? 0) + 1;
    this.#lastMs = nowMs;
  }

  /** A request begins to wait for it; the returned function ends that, once. */
  wait(nowMs: number): () => void {
    this.#lastMs = nowMs;
    this.#waiting++;
    let isOver = false;
    return () => {
      if (!isOver) this.#waiting--;
      isOver = true;
    };
  }

  count(nowMs: number): number {
    this.#forget(nowMs);
    return this.#waiting + this.#seconds.reduce((sum, count) => sum + count, 0);
  }

  #forget(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const stale = Math.min(windowSeconds, second - this.#lastSecond);
    for (let back = 0; back < stale; back++) this.#seconds[(second - back) % windowSeconds] = 0;
    this.#lastSecond = Math.max(this.#lastSecond, second);
  }
}
