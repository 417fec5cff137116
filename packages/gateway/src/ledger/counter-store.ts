/**
 * Sums over fixed windows, for rates, concurrency and money. Keys are bounded by the implementation; an evicted key
 * counts as zero.
 */
export interface CounterStore {
  /** Adds `amount` (may be negative) to the window that holds `nowMs` and returns the window's new sum. */
  add(key: string, amount: number, windowMs: number, nowMs: number): number;
  /** Sum of the window that holds `nowMs`. */
  read(key: string, windowMs: number, nowMs: number): number;
}
