import type { Exchange } from "../core/exchange.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";

/** A decision whose exchange still runs, or its record once it settled. */
export type KeptDecision =
  | { readonly kind: "running"; readonly exchange: Exchange }
  | { readonly kind: "settled"; readonly record: ExchangeRecord };

interface Place {
  readonly id: string;
  /** Undefined once it settled: nothing of the exchange is held any longer. */
  exchange: Exchange | undefined;
  record: ExchangeRecord | undefined;
}

/** Keeps the last decisions in memory: the oldest leaves first. Two writes an exchange. */
export class DecisionRing {
  readonly #byId = new Map<string, Place>();
  /** Circular; grows to `most` and no further. */
  #places: Place[] = [];
  #next = 0;
  #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** How many are kept from now on; 0 for none. */
  resize(most: number): void {
    if (most === this.#most) return;
    const inOrder = [...this.#places.slice(this.#next), ...this.#places.slice(0, this.#next)];
    this.#most = most;
    this.#places = most === 0 ? [] : inOrder.slice(-most);
    this.#next = this.#places.length % Math.max(1, most);
    this.#byId.clear();
    for (const place of this.#places) this.#byId.set(place.id, place);
  }

  /** Called when the decision is made. */
  decided(exchange: Exchange): void {
    if (this.#most === 0) return;
    const place: Place = { id: exchange.id, exchange, record: undefined };
    const oldest = this.#places[this.#next];
    if (oldest !== undefined) this.#byId.delete(oldest.id);
    this.#places[this.#next] = place;
    this.#next = (this.#next + 1) % this.#most;
    this.#byId.set(place.id, place);
  }

  /** Called when its exchange settles. */
  settled(record: ExchangeRecord): void {
    const place = this.#byId.get(record.id);
    if (place === undefined) return;
    place.exchange = undefined;
    place.record = record;
  }

  find(id: string): KeptDecision | undefined {
    const place = this.#byId.get(id);
    if (place?.record !== undefined) return { kind: "settled", record: place.record };
    return place?.exchange && { kind: "running", exchange: place.exchange };
  }
}
