import { MovingAverage } from "./moving-average.ts";
import { RecentQuantile } from "./recent-quantile.ts";

const memory = 1 / 16;
/** Half of an outcome's weight is gone after this long. */
const halfLifeMs = 60_000;
/** As if one attempt had gone well: a single failure is not a rate of 1, and a rate fades where nobody asks. */
const benefitOfDoubt = 1;
/** Answers whose spread is known. */
const remembered = 128;

/** What was measured of one deployment lately. Constant in size; each update takes constant time. */
export class LatencyWindow {
  readonly #ttft = new MovingAverage(memory);
  readonly #msPerToken = new MovingAverage(memory);
  readonly #endToEnd = new MovingAverage(memory);
  readonly #firstTokens = new RecentQuantile(remembered);
  readonly #ends = new RecentQuantile(remembered);
  #attempts = 0;
  #failures = 0;
  #decayedMs = 0;

  /** Mean milliseconds to the first token of streams; undefined while none was seen. */
  get ttftMs(): number | undefined {
    return this.#ttft.value;
  }

  /** Mean milliseconds from the start to the last byte, streamed or whole. */
  get endToEndMs(): number | undefined {
    return this.#endToEnd.value;
  }

  /** Milliseconds one stream waits for its next token. */
  get msPerToken(): number | undefined {
    return this.#msPerToken.value;
  }

  /** Of one stream, as it was under the load there was. */
  get tokensPerSecond(): number | undefined {
    const ms = this.#msPerToken.value;
    return ms === undefined ? undefined : 1_000 / ms;
  }

  /**
   * Milliseconds that a share of the last answers did not exceed: to the first token of streams, else to the end.
   * Undefined with fewer answers than `least`.
   */
  late(streams: boolean, share: number, least: number): number | undefined {
    return (streams ? this.#firstTokens : this.#ends).at(share, least);
  }

  /** One was given up after so long: it would have taken longer still. */
  noteGivenUp(streams: boolean, ms: number): void {
    (streams ? this.#firstTokens : this.#ends).note(ms);
  }

  noteFirstToken(ms: number): void {
    this.#ttft.learn(ms);
    this.#firstTokens.note(ms);
  }

  /** A stream of so many tokens took so long after its first one. Too short ones say nothing of a rate. */
  noteStream(outputTokens: number, ms: number): void {
    if (outputTokens >= 4 && ms > 0) this.#msPerToken.learn(ms / (outputTokens - 1));
  }

  noteEndToEnd(ms: number): void {
    this.#endToEnd.learn(ms);
    this.#ends.note(ms);
  }

  noteOutcome(failed: boolean, nowMs: number): void {
    this.#decay(nowMs);
    this.#attempts++;
    if (failed) this.#failures++;
  }

  /** Share of failed attempts lately, 0 to 1. */
  errorRate(nowMs: number): number {
    this.#decay(nowMs);
    return this.#failures / (this.#attempts + benefitOfDoubt);
  }

  #decay(nowMs: number): void {
    if (nowMs <= this.#decayedMs) return;
    const share = 0.5 ** ((nowMs - this.#decayedMs) / halfLifeMs);
    this.#attempts *= share;
    this.#failures *= share;
    this.#decayedMs = nowMs;
  }
}
