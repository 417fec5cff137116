import type { CounterStore } from "./counter-store.ts";

/** Tokens reserved for one exchange while it runs. Closed exactly once; later calls do nothing. */
export interface Hold {
  readonly tokens: number;
  /** Replaces the reservation by what was really used. */
  settle(actualTokens: number): void;
}

/** Window of the running sums of held and settled tokens. */
const windowMs = 24 * 60 * 60 * 1000;

/** Reserves `tokens` under `scope`: until it is settled, the scope's held sum includes them. */
export function openHold(counters: CounterStore, scope: string, tokens: number, nowMs: number): Hold {
  let open = true;
  counters.add(`held:${scope}`, tokens, windowMs, nowMs);
  return {
    tokens,
    settle(actualTokens) {
      if (!open) return;
      open = false;
      // The hold leaves the window it entered, so that a day's end never leaves a negative sum behind.
      counters.add(`held:${scope}`, -tokens, windowMs, nowMs);
      counters.add(`settled:${scope}`, actualTokens, windowMs, nowMs);
    },
  };
}
