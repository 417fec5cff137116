/** The last so many values, and where their quantiles lie. Constant in size; asking sorts them once after each change. */
export class RecentQuantile {
  readonly #ring: Float64Array;
  #count = 0;
  #sorted: Float64Array | undefined;

  constructor(size: number) {
    this.#ring = new Float64Array(size);
  }

  note(value: number): void {
    this.#ring[this.#count++ % this.#ring.length] = value;
    this.#sorted = undefined;
  }

  /** The value that a `share` of the last ones do not exceed; undefined while there are fewer than `least`. */
  at(share: number, least: number): number | undefined {
    const size = Math.min(this.#count, this.#ring.length);
    if (size < least) return undefined;
    this.#sorted ??= this.#ring.slice(0, size).sort();
    return this.#sorted[Math.min(size - 1, Math.ceil(share * size) - 1)];
  }
}
