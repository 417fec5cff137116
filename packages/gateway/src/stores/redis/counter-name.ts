import type { CountWindow } from "../../ledger/counter-store.ts";

/** Name of one counter: an account in one fixed window, or in a sliding one. */
export function counterName(account: string, window: CountWindow): string {
  return window.kind === "fixed" ? `f:${window.startMs}:${account}` : `s:${window.lengthMs}:${account}`;
}
