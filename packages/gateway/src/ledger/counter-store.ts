/** The time over which an account's settled amounts are summed. */
export type CountWindow =
  /** Fixed: `startMs` to `endMs`. Amounts belong to the window they were reserved in. */
  | { readonly kind: "fixed"; readonly startMs: number; readonly endMs: number }
  /** The last `lengthMs`, in 60 steps: the oldest step counts whole, so a sum is never too small. */
  | { readonly kind: "sliding"; readonly lengthMs: number };

/** One amount to reserve on one account. */
export interface Charge {
  /**
   * Bounded by whoever makes them: configured and stored names only. An account has one kind and length of window for
   * ever, so both are part of its name.
   */
  readonly account: string;
  readonly window: CountWindow;
  readonly amount: number;
  /** Settled and held together may not exceed it; `Infinity` only counts. */
  readonly limit: number;
  /** Settled at once instead of held, for amounts that are certain: settling the reservation leaves it as it is. */
  readonly certain?: boolean;
}

/** Settled and held amounts of an account. */
export interface Balance {
  readonly settled: number;
  readonly held: number;
}

export interface Refusal {
  /** The first charge, in the order given, that did not fit. */
  readonly charge: Charge;
  readonly balance: Balance;
  /** When the same amount would fit if nothing else came; undefined when waiting alone does not help. */
  readonly retryAfterMs: number | undefined;
}

/** Reserved amounts of one admission. */
export interface Reservation {
  readonly charges: readonly Charge[];
  readonly atMs: number;
  /** Balances right after the reservation, in the order of the charges. */
  readonly balances: readonly Balance[];
}

export type Reserved =
  | { readonly ok: true; readonly reservation: Reservation }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * Keeps what limits and budgets compare: at each admission settled + held + amount ≤ limit for every charge, or nothing
 * is reserved at all. Atomic over concurrent callers. Memory answers at once; a shared store with one round trip.
 */
export interface CounterStore {
  /** `nowMs` is epoch time, as are windows. */
  reserve(charges: readonly Charge[], nowMs: number): Reserved | Promise<Reserved>;
  /**
   * Releases a reservation and books `actuals`, one per charge, to the windows it was reserved in. Call it exactly once for
   * each charge, with the very objects that were reserved; a reservation may be settled in parts, each with its own charges and
   * the same `atMs`. Returns the balances afterwards, in the order of the charges.
   */
  settle(reservation: Reservation, actuals: readonly number[]): readonly Balance[] | Promise<readonly Balance[]>;
  /** Books an amount without a reservation: what an earlier process spent in a window that still runs. */
  book(account: string, window: CountWindow, amount: number, atMs: number): void;
  read(account: string, window: CountWindow, nowMs: number): Balance | Promise<Balance>;
}
