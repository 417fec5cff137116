/** Mean of what was seen lately: exact over the first samples, exponential after them. Constant in size and time. */
export class MovingAverage {
  readonly #leastWeight: number;
  #seen = 0;
  #mean = 0;

  /** `leastWeight` is the least share of the newest sample: 1/16 remembers about 16 of them. */
  constructor(leastWeight: number) {
    this.#leastWeight = leastWeight;
  }

  /** Undefined while nothing was seen. */
  get value(): number | undefined {
    return this.#seen === 0 ? undefined : this.#mean;
  }

  learn(sample: number): void {
    this.#seen++;
    this.#mean += Math.max(this.#leastWeight, 1 / this.#seen) * (sample - this.#mean);
  }
}
