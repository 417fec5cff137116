import type { Brand } from "../lib/brand.ts";
import type { NanoDollars } from "./money.ts";
import type { TokenUsage } from "./usage.ts";

/** A whole number of 10⁻¹² US dollars for one token: 1 $ per million tokens is 1,000,000. */
export type PicoDollars = Brand<number, "PicoDollars">;

/** A rate that changes with the size of the prompt: the highest tier below it holds for the whole request. */
export interface TieredRate {
  readonly base: PicoDollars;
  /** Ascending; `rate` holds when the input has more than `aboveInputTokens` tokens. */
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rate: PicoDollars }[];
}

/**
 * What the tokens of one model cost at one time. A rate that is absent falls back: cached reads, cache writes and audio
 * to `input`, long cache writes to cache writes, reasoning and audio output to `output`.
 */
export interface Price {
  /** Names where the figures come from and since when; stands in every ledger row. */
  readonly version: string;
  readonly input: TieredRate;
  readonly output: TieredRate;
  readonly cachedRead?: TieredRate;
  readonly cacheWrite?: TieredRate;
  readonly longCacheWrite?: TieredRate;
  readonly audioInput?: TieredRate;
  readonly reasoning?: TieredRate;
  readonly audioOutput?: TieredRate;
  /** For each request, whatever its tokens. */
  readonly perRequest?: NanoDollars;
}

export function rateFor(rate: TieredRate, inputTokens: number): number {
  let found: number = rate.base;
  for (const tier of rate.tiers) if (inputTokens > tier.aboveInputTokens) found = tier.rate;
  return found;
}

/**
 * Exact in integers but for one rounding at the end, half away from zero. Audio that came from a cache costs what cached
 * reads do. Every attempt; synchronous.
 */
export function costOf(usage: TokenUsage, price: Price): NanoDollars {
  const { inputTokens, cachedReadTokens, cacheWriteTokens, longCacheWriteTokens, outputTokens } = usage;
  const { reasoningTokens, audioOutputTokens } = usage;
  const cacheWrite = price.cacheWrite ?? price.input;
  const fresh = inputTokens - cachedReadTokens - cacheWriteTokens;
  const freshAudio = Math.min(usage.audioInputTokens, Math.max(0, fresh));
  const pico = (tokens: number, rate: TieredRate): number => (tokens > 0 ? tokens * rateFor(rate, inputTokens) : 0);
  const sum =
    pico(fresh - freshAudio, price.input) +
    pico(cachedReadTokens, price.cachedRead ?? price.input) +
    pico(cacheWriteTokens - longCacheWriteTokens, cacheWrite) +
    pico(longCacheWriteTokens, price.longCacheWrite ?? cacheWrite) +
    pico(freshAudio, price.audioInput ?? price.input) +
    pico(outputTokens - reasoningTokens - audioOutputTokens, price.output) +
    pico(reasoningTokens, price.reasoning ?? price.output) +
    pico(audioOutputTokens, price.audioOutput ?? price.output);
  return (Math.round(sum / 1000) + (price.perRequest ?? 0)) as NanoDollars;
}
