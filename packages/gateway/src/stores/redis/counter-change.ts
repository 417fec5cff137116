import type { CountWindow } from "../../ledger/counter-store.ts";

/** Amounts to add to one counter, of either sign. */
export interface CounterChange {
  readonly account: string;
  readonly window: CountWindow;
  /** The moment that the settled amount belongs to. */
  readonly atMs: number;
  readonly settled: number;
  readonly held: number;
}
