/** The latest scores, in order of size: quantiles of recent traffic, however it is distributed. Bounded. */
export class ScoreWindow {
  readonly #arrival: Float64Array;
  readonly #sorted: Float64Array;
  #size = 0;
  #next = 0;

  constructor(capacity: number) {
    this.#arrival = new Float64Array(capacity);
    this.#sorted = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a score; of a full window the oldest one leaves. Moves at most the whole window: some 100 ns. */
  add(score: number): void {
    if (this.#size === this.#arrival.length) {
      const at = this.#placeOf(this.#arrival[this.#next] ?? 0);
      this.#sorted.copyWithin(at, at + 1, this.#size);
      this.#size--;
    }
    const at = this.#placeOf(score);
    this.#sorted.copyWithin(at + 1, at, this.#size);
    this.#sorted[at] = score;
    this.#size++;
    this.#arrival[this.#next] = score;
    this.#next = (this.#next + 1) % this.#arrival.length;
  }

  /** The score that `share` of the window lies above; undefined while it is empty. */
  above(share: number): number | undefined {
    if (this.#size === 0) return undefined;
    const at = Math.floor((1 - share) * this.#size);
    return this.#sorted[Math.min(this.#size - 1, Math.max(0, at))];
  }

  /** The first place whose score is not smaller. */
  #placeOf(score: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] ?? 0) < score) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
