import type { PicoDollars, TieredRate } from "../../core/price.ts";

export interface DollarTier {
  readonly aboveInputTokens: number;
  /** Per million tokens. */
  readonly dollars: number;
}

/** Turns US dollars per million tokens into whole pico-dollars per token; six decimals of a dollar survive. */
export function rateOf(dollars: number, tiers: readonly DollarTier[] = []): TieredRate {
  return {
    base: toPico(dollars),
    tiers: tiers
      .map((tier) => ({ aboveInputTokens: tier.aboveInputTokens, rate: toPico(tier.dollars) }))
      .sort((a, b) => a.aboveInputTokens - b.aboveInputTokens),
  };
}

/** 1 $ per million tokens is 10⁻⁶ $ a token: a million times 10⁻¹² $. */
function toPico(dollarsPerMillion: number): PicoDollars {
  return Math.round(dollarsPerMillion * 1_000_000) as PicoDollars;
}
