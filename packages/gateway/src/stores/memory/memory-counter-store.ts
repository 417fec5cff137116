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
    if (current?.index === index) {
      current.sum += amount;
      return current.sum;
    }
    // A key moves to the end once a window, which is order enough to know which were left alone longest.
    this.#windows.delete(key);
    this.#windows.set(key, { index, sum: amount });
    if (this.#windows.size > this.#maxKeys) this.#evictOldest();
    return amount;
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
