/** Each sample makes the older ones count this much: the last 32 or so decide. */
const keep = 1 - 1 / 32;
/** A sample this many times off the line is out of the ordinary. */
const farOff = 4;
/** Below this weight the line rests on few samples, and the first of them often paid for loading the model. */
const young = 8;
const keepOfYoung = 0.1;
const keepOfFalling = 0.8;
/** Keeps small times from counting as far off. */
const smallMs = 50;
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

  /** One slow answer among many counts for no more than four times the line; a far faster one makes it forget sooner. */
  learn(tokens: number, ms: number): void {
    const expectedMs = this.at(tokens) ?? ms;
    const isYoung = this.#weight < young;
    const most = isYoung ? ms : farOff * expectedMs + smallMs;
    const isFalling = (ms + smallMs) * farOff < expectedMs;
    this.#add(tokens, Math.min(ms, most), !isFalling ? keep : isYoung ? keepOfYoung : keepOfFalling);
  }

  #add(tokens: number, ms: number, kept: number): void {
    this.#weight = this.#weight * kept + 1;
    this.#tokens = this.#tokens * kept + tokens;
    this.#ms = this.#ms * kept + ms;
    this.#tokensSquared = this.#tokensSquared * kept + tokens * tokens;
    this.#product = this.#product * kept + tokens * ms;
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
