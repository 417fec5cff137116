import type { PricingConfig } from "@fairlead/contract/config-schema";
import type { Upstream } from "../../core/deployment.ts";
import type { Price } from "../../core/price.ts";
import type { PriceBook, PricedModel } from "../../ledger/price-book.ts";
import type { SelfHostedMeter, Throughput } from "../../ledger/self-hosted-meter.ts";
import type { Clock } from "../../lib/clock.ts";
import { priceSource } from "../../upstreams/price-source.ts";
import { LibraryPrices } from "./library-prices.ts";
import { OverridePrices } from "./override-prices.ts";
import { selfHostedPrice } from "./self-hosted-price.ts";

export interface PriceBookParts {
  readonly pricing: PricingConfig;
  readonly upstreams: readonly Upstream[];
  readonly meter: SelfHostedMeter;
  readonly clock: Clock;
}

/**
 * Makes the price book of a config: an upstream's own cost, else the library's price of a known provider's model, and
 * the config's overrides laid over either. Takes tens of milliseconds of the one thread to load the library: start it
 * first and await it last.
 */
export async function createPriceBook(parts: PriceBookParts): Promise<PriceBook> {
  const book = new ComposedPriceBook(parts, await LibraryPrices.load());
  // The library's first answer takes milliseconds, which no request should wait for.
  book.referencePrice(parts.clock.now());
  return book;
}

/** What a self-hosted upstream's throughput is measured over. */
const measuredMs = 24 * 60 * 60 * 1000;

class ComposedPriceBook implements PriceBook {
  readonly #library: LibraryPrices;
  readonly #overrides: OverridePrices;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #meter: SelfHostedMeter;
  readonly #clock: Clock;
  readonly reference: string;
  readonly #reference: PricedModel;
  /** The last price of each self-hosted upstream, and what it was computed from. */
  readonly #selfHosted = new Map<string, { readonly from: Throughput; readonly price: Price | undefined }>();

  constructor({ pricing, upstreams, meter, clock }: PriceBookParts, library: LibraryPrices) {
    this.#library = library;
    this.#overrides = new OverridePrices(pricing.overrides);
    this.#upstreams = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
    this.#meter = meter;
    this.#clock = clock;
    const { provider, model } = pricing.reference;
    this.reference = `${provider}/${model}`;
    this.#reference = { upstream: "", provider, model };
  }

  priceOf(model: PricedModel, atMs: number): Price | undefined {
    const upstream = this.#upstreams.get(model.upstream);
    const usual = upstream?.cost === undefined ? this.#published(model, upstream, atMs) : this.#own(upstream, atMs);
    return this.#overrides.apply(model, atMs, usual);
  }

  referencePrice(atMs: number): Price | undefined {
    return this.priceOf(this.#reference, atMs);
  }

  /** A provider's list says nothing of models on the premises, whatever API they imitate. */
  #published(model: PricedModel, upstream: Upstream | undefined, atMs: number): Price | undefined {
    if (upstream?.placement === "local") return undefined;
    const source = priceSource(model.provider);
    return source && this.#library.find(source, model.model, atMs);
  }

  /** Self-hosted tokens cost what the last day's measurement says: of older ones nobody knows any more. */
  #own({ name, cost }: Upstream, atMs: number): Price | undefined {
    if (cost === undefined || atMs < this.#clock.now() - measuredMs) return undefined;
    const from = this.#meter.throughput(name, this.#clock.monotonicMs());
    const last = this.#selfHosted.get(name);
    if (last?.from === from) return last.price;
    const price = selfHostedPrice(cost, from);
    this.#selfHosted.set(name, { from, price });
    return price;
  }
}
