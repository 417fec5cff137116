import type { Price } from "../core/price.ts";

/** What a price is looked up by. A `Deployment` and a ledger row both have it. */
export interface PricedModel {
  /** Name of the upstream in the config. */
  readonly upstream: string;
  readonly provider: string;
  /** The id the upstream knows the model by. */
  readonly model: string;
}

/** Dated prices of cloud models and measured ones of self-hosted models. Synchronous and cached: asked for every attempt. */
export interface PriceBook {
  /** Undefined when nobody knows: the cost is then "unpriced", never 0 and never a guess. */
  priceOf(model: PricedModel, atMs: number): Price | undefined;
  /** Name of the configured cloud model that savings are measured against; undefined when there is none. */
  readonly reference?: string;
  /** Its price. */
  referencePrice(atMs: number): Price | undefined;
}

/** Knows no price. */
export const emptyPriceBook: PriceBook = { priceOf: () => undefined, referencePrice: () => undefined };
