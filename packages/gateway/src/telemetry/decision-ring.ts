import type { Exchange } from "../core/exchange.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";

/** A decision whose exchange still runs, or its record once it settled. */
export type KeptDecision =
  | { readonly kind: "running"; readonly exchange: Exchange }
  | { readonly kind: "settled"; readonly record: ExchangeRecord };

/** Keeps the last decisions in memory: the oldest leaves first. Two map writes an exchange. */
export class DecisionRing {
  readonly #kept = new Map<string, KeptDecision>();
  #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many are kept from now on; 0 for none. */
  resize(most: number): void {
    this.#most = most;
    this.#trim();
  }

  /** Called when the decision is made. */
  decided(exchange: Exchange): void {
    if (this.#most === 0) return;
    this.#kept.set(exchange.id, { kind: "running", exchange });
    this.#trim();
  }

  /** Called when its exchange settles: nothing of the exchange is held any longer. */
  settled(record: ExchangeRecord): void {
    if (this.#kept.has(record.id)) this.#kept.set(record.id, { kind: "settled", record });
  }

  find(id: string): KeptDecision | undefined {
    return this.#kept.get(id);
  }

  #trim(): void {
    for (const id of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) return;
      this.#kept.delete(id);
    }
  }
}
