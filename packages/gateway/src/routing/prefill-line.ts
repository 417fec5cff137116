/** Each sample makes the older ones count this much: the last 32 or so decide. */
const keep = 1 - 1 / 32;
/** Prompts that differ by less than this (squared tokens) say nothing of the price of a token. */
const leastVariance = 50 ** 2;

/**
 * Learns milliseconds to the first token as `base + perToken × tokens` by least squares that forget. Never negative, never
 * falling with the prompt. Constant in size and time.
 */
export class PrefillLine {
  #weight = 0;
  #tokens = 0;
  #ms = 0;
  #tokensSquared = 0;
  #product = 0;

  learn(tokens: number, ms: number): void {
    this.#weight = this.#weight * keep + 1;
    this.#tokens = this.#tokens * keep + tokens;
    this.#ms = this.#ms * keep + ms;
    this.#tokensSquared = this.#tokensSquared * keep + tokens * tokens;
    this.#product = this.#product * keep + tokens * ms;
  }

  /** Undefined while nothing was learned. */
  at(tokens: number): number | undefined {
    if (this.#weight === 0) return undefined;
    const meanTokens = this.#tokens / this.#weight;
    const meanMs = this.#ms / this.#weight;
    const variance = this.#tokensSquared / this.#weight - meanTokens ** 2;
    const covariance = this.#product / this.#weight - meanTokens * meanMs;
    const slope = Math.max(0, covariance / (variance + leastVariance));
    const base = meanMs - slope * meanTokens;
    // A line that meets no tokens below zero goes through zero instead.
    return base >= 0 ? base + slope * tokens : (meanMs / meanTokens) * tokens;
  }
}
