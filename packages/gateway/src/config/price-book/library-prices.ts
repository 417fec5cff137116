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
/** Times remembered of one model: exchanges that began at different times end side by side. */
const maxSpans = 128;
const minuteMs = 60_000;

/** The time in which one price of a model holds, or in which none is known. */
interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly price: Price | undefined;
}

/**
 * The library's prices in our integers, converted once per model, and per change for dated ones. Its own rules find the
 * model for an id and the price for a date. Offline: nothing is ever fetched.
 */
export class LibraryPrices {
  readonly #library: Library;
  readonly #spans = new Map<string, Span[]>();
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
    const spans = this.#spans.get(id) ?? [];
    for (const span of spans) if (atMs >= span.fromMs && atMs < span.untilMs) return span.price;
    const span = this.#look(source, model, atMs);
    if (spans.length === 0) {
      if (this.#spans.size >= maxModels) this.#spans.clear();
      this.#spans.set(id, spans);
    }
    // The newest first, which is asked for most.
    spans.unshift(span);
    if (spans.length > maxSpans) spans.pop();
    return span.price;
  }

  #look(source: PriceSource, model: string, atMs: number): Span {
    const at = new Date(atMs);
    const found = this.#calculate(source, model, at) ?? this.#calculate(source, withoutPath(model), at);
    if (found === undefined) return { ...always, price: undefined };
    let price = this.#converted.get(found.model_price);
    if (price === undefined) {
      price = convert(found, source);
      if (price !== undefined) this.#converted.set(found.model_price, price);
    }
    return { ...timeOf(found.model.prices, atMs), price };
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

const always = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

/** How long the price that holds now does: between two days of change, or a minute where the time of day counts. */
function timeOf(prices: PriceCalculation["model"]["prices"], atMs: number): Omit<Span, "price"> {
  if (!Array.isArray(prices)) return always;
  const starts: number[] = [];
  for (const { constraint } of prices) {
    if (constraint?.type === "time_of_date") {
      const fromMs = Math.floor(atMs / minuteMs) * minuteMs;
      return { fromMs, untilMs: fromMs + minuteMs };
    }
    if (constraint !== undefined) starts.push(Date.parse(constraint.start_date));
  }
  return {
    fromMs: Math.max(always.fromMs, ...starts.filter((start) => start <= atMs)),
    untilMs: Math.min(always.untilMs, ...starts.filter((start) => start > atMs)),
  };
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
