import type { SelfHostedCost } from "../../core/deployment.ts";
import type { PicoDollars, Price } from "../../core/price.ts";
import type { Throughput } from "../../ledger/self-hosted-meter.ts";

const picoPerDollar = 1_000_000_000_000;

/**
 * What a token costs where the hour is paid for: the hour's price over the tokens of an hour, as measured or else as the
 * config says. All tokens cost the same. Undefined while nobody knows how many there are.
 */
export function selfHostedPrice(cost: SelfHostedCost, measured: Throughput): Price | undefined {
  const { perHour, replicas, basis, tokensPerHour: configured } = cost;
  const measuredTokens = basis === "marginal" ? measured.tokensPerBusyHour : measured.tokensPerHour;
  const exact = measuredTokens ?? configured;
  if (exact === undefined) return undefined;
  // The version tells the figure that was computed with: anyone can check a row by hand.
  const tokens = measuredTokens === undefined ? exact : Number(exact.toPrecision(3));
  const base = Math.round((perHour * replicas * picoPerDollar) / tokens) as PicoDollars;
  const rate = { base, tiers: [] };
  const origin = measuredTokens === undefined ? "configured" : "measured";
  const shown = tokens.toLocaleString("en-US", { maximumFractionDigits: 3 });
  const version = `self-hosted ${basis} ${perHour} $/h × ${replicas} ÷ ${shown} tokens/h (${origin})`;
  return { version, input: rate, output: rate };
}
