import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { costOf, type PicoDollars, type Price, type TieredRate } from "./price.ts";
import { addUsage, noUsage, type TokenUsage } from "./usage.ts";

const dollars = (perMillion: number): TieredRate => ({ base: (perMillion * 1_000_000) as PicoDollars, tiers: [] });
const plain: Price = { version: "test", input: dollars(3), output: dollars(15) };

describe("costOf", () => {
  test("prices each kind of token once, at its own rate", () => {
    const price: Price = {
      ...plain,
      cachedRead: dollars(0.3),
      cacheWrite: dollars(3.75),
      longCacheWrite: dollars(6),
      audioInput: dollars(40),
      reasoning: dollars(20),
      audioOutput: dollars(80),
    };
    const usage: TokenUsage = {
      inputTokens: 1_000,
      cachedReadTokens: 400,
      cacheWriteTokens: 300,
      longCacheWriteTokens: 100,
      audioInputTokens: 50,
      outputTokens: 500,
      reasoningTokens: 200,
      audioOutputTokens: 30,
    };
    // 250 × 3 + 400 × 0.3 + 200 × 3.75 + 100 × 6 + 50 × 40 + 270 × 15 + 200 × 20 + 30 × 80 = 14,670 millionths of a $.
    expect<number>(costOf(usage, price)).toBe(14_670_000);
  });

  test("falls back to the nearest rate there is", () => {
    const usage = {
      ...noUsage,
      inputTokens: 100,
      cachedReadTokens: 20,
      cacheWriteTokens: 30,
      longCacheWriteTokens: 10,
    };
    expect<number>(costOf(usage, plain)).toBe(300_000);
    // 50 × 3 + 20 × 3 + 30 × 4, the hour-long writes as the others.
    expect<number>(costOf(usage, { ...plain, cacheWrite: dollars(4) })).toBe(330_000);
    expect<number>(costOf({ ...noUsage, outputTokens: 10, reasoningTokens: 4, audioOutputTokens: 6 }, plain)).toBe(
      150_000,
    );
  });

  test("audio read from a cache is priced once, as cached", () => {
    const price = { ...plain, cachedRead: dollars(1), audioInput: dollars(40) };
    const usage = { ...noUsage, inputTokens: 110, cachedReadTokens: 100, audioInputTokens: 60 };
    // 100 × 1 + 10 × 40.
    expect<number>(costOf(usage, price)).toBe(500_000);
  });

  test("the tier above which the whole prompt lies holds for every token of the request", () => {
    const tiered: Price = {
      version: "test",
      input: { base: 1_250_000 as PicoDollars, tiers: [{ aboveInputTokens: 200_000, rate: 2_500_000 as PicoDollars }] },
      output: {
        base: 10_000_000 as PicoDollars,
        tiers: [{ aboveInputTokens: 200_000, rate: 15_000_000 as PicoDollars }],
      },
    };
    expect<number>(costOf({ ...noUsage, inputTokens: 200_000, outputTokens: 1_000 }, tiered)).toBe(260_000_000);
    // 200,001 × 2.5 + 1,000 × 15.
    expect<number>(costOf({ ...noUsage, inputTokens: 200_001, outputTokens: 1_000 }, tiered)).toBe(515_002_500);
  });

  test("a fee for the request is added whatever its tokens", () => {
    expect<number>(costOf(noUsage, { ...plain, perRequest: 12_000_000 as Price["perRequest"] & {} })).toBe(12_000_000);
  });
});

const tokens = fc.nat(2_000_000);
/** What an honest upstream may report: parts are never more than their whole. */
const usages: fc.Arbitrary<TokenUsage> = fc
  .tuple(tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens)
  .map(([fresh, cachedReadTokens, short, longCacheWriteTokens, audioInputTokens, text, reasoningTokens, audioOut]) => ({
    inputTokens: fresh + cachedReadTokens + short + longCacheWriteTokens + audioInputTokens,
    cachedReadTokens,
    cacheWriteTokens: short + longCacheWriteTokens,
    longCacheWriteTokens,
    audioInputTokens,
    outputTokens: text + reasoningTokens + audioOut,
    reasoningTokens,
    audioOutputTokens: audioOut,
  }));
const rate = (tiers: boolean): fc.Arbitrary<TieredRate> =>
  fc.tuple(fc.nat(600_000_000), fc.nat(1_000_000), fc.nat(600_000_000)).map(([base, aboveInputTokens, more]) => ({
    base: base as PicoDollars,
    tiers: tiers ? [{ aboveInputTokens, rate: (base + more) as PicoDollars }] : [],
  }));
const prices = (tiers: boolean): fc.Arbitrary<Price> =>
  fc.record(
    {
      version: fc.constant("test"),
      input: rate(tiers),
      output: rate(tiers),
      cachedRead: rate(tiers),
      cacheWrite: rate(tiers),
      longCacheWrite: rate(tiers),
      audioInput: rate(tiers),
      reasoning: rate(tiers),
      audioOutput: rate(tiers),
    },
    { requiredKeys: ["version", "input", "output"] },
  );

describe("costOf, for any usage and price", () => {
  test("is a whole number, never below nothing", () => {
    fc.assert(
      fc.property(usages, prices(true), (usage, price) => {
        const cost = costOf(usage, price);
        return Number.isSafeInteger(cost) && cost >= 0;
      }),
    );
  });

  test("agrees with arithmetic that cannot round", () => {
    fc.assert(
      fc.property(usages, prices(false), (usage, price) => {
        const big = (count: number, of: TieredRate): bigint => BigInt(count) * BigInt(of.base);
        const { inputTokens, cachedReadTokens, cacheWriteTokens, longCacheWriteTokens, audioInputTokens } = usage;
        const { outputTokens, reasoningTokens, audioOutputTokens } = usage;
        const exact =
          big(inputTokens - cachedReadTokens - cacheWriteTokens - audioInputTokens, price.input) +
          big(cachedReadTokens, price.cachedRead ?? price.input) +
          big(cacheWriteTokens - longCacheWriteTokens, price.cacheWrite ?? price.input) +
          big(longCacheWriteTokens, price.longCacheWrite ?? price.cacheWrite ?? price.input) +
          big(audioInputTokens, price.audioInput ?? price.input) +
          big(outputTokens - reasoningTokens - audioOutputTokens, price.output) +
          big(reasoningTokens, price.reasoning ?? price.output) +
          big(audioOutputTokens, price.audioOutput ?? price.output);
        return BigInt(costOf(usage, price)) === (exact + 500n) / 1_000n;
      }),
    );
  });

  test("of two requests together is the sum of both, but for one rounding each", () => {
    fc.assert(
      fc.property(usages, usages, prices(false), (a, b, price) => {
        const apart = costOf(a, price) + costOf(b, price);
        return Math.abs(costOf(addUsage(a, b), price) - apart) <= 1;
      }),
    );
  });

  test("never falls when there is more of anything", () => {
    fc.assert(
      fc.property(usages, usages, prices(false), (usage, more, price) => {
        return costOf(addUsage(usage, more), price) >= costOf(usage, price);
      }),
    );
    fc.assert(
      fc.property(usages, tokens, prices(true), (usage, more, price) => {
        return costOf({ ...usage, inputTokens: usage.inputTokens + more }, price) >= costOf(usage, price);
      }),
    );
  });
});
