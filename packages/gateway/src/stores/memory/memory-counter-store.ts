import type { CounterStore } from "../../ledger/counter-store.ts";

interface Window {
  readonly index: number;
  sum: number;
}

/** Counts in this process only; holds at most `maxKeys`, the longest untouched leave first. */
export class MemoryCounterStore implements CounterStore {
  readonly #windows = new Map<string, Window>();
  readonly #maxKeys: number;

  constructor(maxKeys = 100_000) {
    this.#maxKeys = maxKeys;
  }

  add(key: string, amount: number, windowMs: number, nowMs: number): number {
    const index = Math.floor(nowMs / windowMs);
    const current = this.#windows.get(key);
    // An amount for a window that is already over changes nothing that can still be read.
    if (current !== undefined && index < current.index) return 0;
    const window = current?.index === index ? current : { index, sum: 0 };
    window.sum += amount;
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size > this.#maxKeys) this.#evictOldest();
    return window.sum;
  }

  read(key: string, windowMs: number, nowMs: number): number {
    const window = this.#windows.get(key);
    return window?.index === Math.floor(nowMs / windowMs) ? window.sum : 0;
  }

  #evictOldest(): void {
    const oldest = this.#windows.keys().next();
    if (!oldest.done) this.#windows.delete(oldest.value);
  }
}
