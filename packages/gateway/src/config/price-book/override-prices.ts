import type { PriceOverride } from "@fairlead/contract/config-schema";
import { fromDollars, type NanoDollars } from "../../core/money.ts";
import type { Price, TieredRate } from "../../core/price.ts";
import type { PricedModel } from "../../ledger/price-book.ts";
import { rateOf } from "./rate-of.ts";

type RateName =
  | "input"
  | "cachedRead"
  | "cacheWrite"
  | "longCacheWrite"
  | "audioInput"
  | "output"
  | "reasoning"
  | "audioOutput";
type Rates = { readonly [Name in RateName]?: TieredRate };

const inputRates = ["input", "cachedRead", "cacheWrite", "longCacheWrite", "audioInput"] as const;
const outputRates = ["output", "audioOutput"] as const;

interface Override {
  readonly upstream: string | undefined;
  readonly provider: string | undefined;
  readonly fromMs: number;
  readonly version: string;
  readonly rates: Rates;
  readonly perRequest: NanoDollars | undefined;
  /** The last price it was laid over, and what came of it: every lookup of one model meets the same. */
  last: { readonly over: Price | undefined; readonly price: Price | undefined } | undefined;
}

/**
 * The config's own prices. The latest that holds wins; of those from one day the one for an upstream before the one for
 * a provider before the general one, then the last in the list. An override that names `input` says all about input,
 * one that names `output` all about output; what it does not speak of stays as it was.
 */
export class OverridePrices {
  /** By model; in the order to try them. */
  readonly #overrides: ReadonlyMap<string, readonly Override[]>;

  constructor(overrides: readonly PriceOverride[]) {
    const byModel = Map.groupBy(overrides, ({ model }) => model);
    this.#overrides = new Map(
      [...byModel].map(([model, list]) => [model, list.map(compile).reverse().sort(latestAndNarrowestFirst)]),
    );
  }

  /** Lays the override that holds over the price found otherwise; undefined when neither says what tokens cost. */
  apply({ upstream, provider, model }: PricedModel, atMs: number, over: Price | undefined): Price | undefined {
    const list = this.#overrides.get(model);
    if (list === undefined) return over;
    const found = list.find(
      (override) =>
        override.fromMs <= atMs &&
        (override.upstream ?? upstream) === upstream &&
        (override.provider ?? provider) === provider,
    );
    if (found === undefined) return over;
    if (found.last?.over !== over || found.last === undefined) found.last = { over, price: lay(found, over) };
    return found.last.price;
  }
}

function compile(config: PriceOverride): Override {
  const rates: { [Name in RateName]?: TieredRate } = {};
  for (const name of [...inputRates, ...outputRates]) {
    const tiers = config.tiers.flatMap(({ aboveInputTokens, [name]: dollars }) =>
      dollars === undefined ? [] : [{ aboveInputTokens, dollars }],
    );
    const base = config[name];
    if (base !== undefined) rates[name] = rateOf(base, tiers);
  }
  return {
    upstream: config.upstream,
    provider: config.provider,
    fromMs: config.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(config.from),
    version: config.from === undefined ? "override" : `override ${config.from}`,
    rates,
    perRequest: config.perRequest === undefined ? undefined : fromDollars(config.perRequest),
    last: undefined,
  };
}

function latestAndNarrowestFirst(a: Override, b: Override): number {
  if (a.fromMs !== b.fromMs) return a.fromMs > b.fromMs ? -1 : 1;
  return narrowness(b) - narrowness(a);
}

function narrowness({ upstream, provider }: Override): number {
  return (upstream === undefined ? 0 : 2) + (provider === undefined ? 0 : 1);
}

function lay({ rates, perRequest: fee, version }: Override, over: Price | undefined): Price | undefined {
  const kept: Rates = {
    ...(rates.input === undefined && over && pick(over, inputRates)),
    ...(rates.output === undefined && over && pick(over, ["reasoning", ...outputRates])),
  };
  const { input, output, ...rest } = { ...kept, ...rates };
  if (input === undefined || output === undefined) return undefined;
  const perRequest = fee ?? over?.perRequest;
  const isPartial = Object.keys(kept).length > 0 || (fee === undefined && perRequest !== undefined);
  return {
    version: isPartial ? `${version} over ${over?.version}` : version,
    input,
    output,
    ...rest,
    ...(perRequest !== undefined && { perRequest }),
  };
}

function pick(price: Price, names: readonly RateName[]): Rates {
  return Object.fromEntries(names.flatMap((name) => (price[name] === undefined ? [] : [[name, price[name]]])));
}
