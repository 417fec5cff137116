import type { PriceCalculation } from "@pydantic/genai-prices";
import { fromDollars } from "../../core/money.ts";
import type { PicoDollars, Price, TieredRate } from "../../core/price.ts";
import type { PriceSource } from "../../upstreams/price-source.ts";
import { rateOf } from "./rate-of.ts";

type Library = typeof import("@pydantic/genai-prices");
/** The library's dollars of one model at one time, by its own names of what is counted. */
type LibraryPrice = PriceCalculation["model_price"];
type LibraryRate = LibraryPrice[string];

/** Of the installed package, which does not say so itself; a test compares them. */
const libraryVersion = "0.1.8";

/** Bounds the cache should a ledger full of forgotten models be priced again. */
const maxModels = 4_096;
const minuteMs = 60_000;

interface Known {
  /** Prices change with time: the answer holds for `minute` only. */
  readonly dated: boolean;
  minute: number;
  price: Price | undefined;
}

/**
 * The library's prices in our integers, converted once per model, and per change for dated ones. Its own rules find the
 * model for an id and the price for a date. Offline: nothing is ever fetched.
 */
export class LibraryPrices {
  readonly #library: Library;
  /** `undefined` for what the library does not know. */
  readonly #models = new Map<string, Known | undefined>();
  readonly #converted = new WeakMap<LibraryPrice, Price>();

  private constructor(library: Library) {
    this.#library = library;
  }

  /** Reads the library's data, which takes tens of milliseconds of the one thread. */
  static async load(): Promise<LibraryPrices> {
    return new LibraryPrices(await import("@pydantic/genai-prices"));
  }

  find(source: PriceSource, model: string, atMs: number): Price | undefined {
    const id = `${source.library} ${model}`;
    const minute = Math.floor(atMs / minuteMs);
    const known = this.#models.get(id);
    if (known !== undefined && (!known.dated || known.minute === minute)) return known.price;
    if (known === undefined && this.#models.has(id)) return undefined;
    const fresh = this.#look(source, model, minute);
    if (this.#models.size >= maxModels) this.#models.clear();
    this.#models.set(id, fresh);
    return fresh?.price;
  }

  #look(source: PriceSource, model: string, minute: number): Known | undefined {
    const at = new Date(minute * minuteMs);
    const found = this.#calculate(source, model, at) ?? this.#calculate(source, withoutPath(model), at);
    if (found === undefined) return undefined;
    let price = this.#converted.get(found.model_price);
    if (price === undefined) {
      price = convert(found, source);
      if (price !== undefined) this.#converted.set(found.model_price, price);
    }
    return { dated: Array.isArray(found.model.prices), minute, price };
  }

  #calculate(source: PriceSource, model: string, timestamp: Date): PriceCalculation | undefined {
    // An unknown provider would be guessed from the model's name: a reseller would get somebody else's prices.
    if (this.#library.findProvider({ providerId: source.library })?.id !== source.library) return undefined;
    try {
      return this.#library.calcPrice({}, model, { providerId: source.library, timestamp }) ?? undefined;
    } catch {
      return undefined;
    }
  }
}

/** Some providers list their models as `models/<id>`, and take both spellings. */
function withoutPath(model: string): string {
  return model.replace(/^(?:.*\/)?models\//, "");
}

function convert({ model, model_price: prices, provider }: PriceCalculation, source: PriceSource): Price | undefined {
  const input = toRate(prices["input_mtok"]);
  const output = toRate(prices["output_mtok"]);
  if (input === undefined || output === undefined) return undefined;
  const notes: string[] = [];
  const rates = {
    cachedRead: toRate(prices["cache_read_mtok"]),
    cacheWrite: toRate(prices["cache_write_mtok"]),
    longCacheWrite: toRate(prices["cache_write_1h_mtok"]),
    audioInput: toRate(prices["input_audio_mtok"]),
    reasoning: toRate(prices["output_reasoning_mtok"]),
    audioOutput: toRate(prices["output_audio_mtok"]),
  };
  const { longCacheWriteFactor: factor } = source;
  if (rates.longCacheWrite === undefined && factor !== undefined) {
    rates.longCacheWrite = times(input, factor);
    notes.push(`, cache writes for an hour ${factor} × input`);
  }
  const audio = source.audio?.[model.id];
  if (rates.audioInput === undefined && audio !== undefined) {
    rates.audioInput = toRate(audio.input);
    rates.audioOutput = toRate(audio.output);
    notes.push(`, audio ${audio.input} $ in, ${audio.output} $ out`);
  }
  const perThousand = prices["requests_kcount"];
  return {
    version: `genai-prices ${libraryVersion} ${provider.id}/${model.id}${since(model, prices)}${notes.join("")}`,
    input,
    output,
    ...present(rates),
    ...(typeof perThousand === "number" && { perRequest: fromDollars(perThousand / 1000) }),
  };
}

/** Says from when, or at what time of day, this price of a model holds. */
function since(model: PriceCalculation["model"], prices: LibraryPrice): string {
  if (!Array.isArray(model.prices)) return "";
  const constraint = model.prices.find((candidate) => candidate.prices === prices)?.constraint;
  if (constraint === undefined) return "";
  return constraint.type === "start_date"
    ? ` since ${constraint.start_date}`
    : ` from ${constraint.start_time} to ${constraint.end_time}`;
}

/** The library's tiers mean what ours do: above `start` input tokens, for the whole request. */
function toRate(rate: LibraryRate): TieredRate | undefined {
  if (rate === undefined) return undefined;
  if (typeof rate === "number") return rateOf(rate);
  return rateOf(
    rate.base,
    rate.tiers.map(({ start, price }) => ({ aboveInputTokens: start, dollars: price })),
  );
}

function times(rate: TieredRate, factor: number): TieredRate {
  const scaled = (pico: PicoDollars): PicoDollars => Math.round(pico * factor) as PicoDollars;
  return { base: scaled(rate.base), tiers: rate.tiers.map((tier) => ({ ...tier, rate: scaled(tier.rate) })) };
}

type Rates = Readonly<Record<string, TieredRate | undefined>>;

function present<R extends Rates>(rates: R): { readonly [Name in keyof R]?: TieredRate } {
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined)) as {
    readonly [Name in keyof R]?: TieredRate;
  };
}
