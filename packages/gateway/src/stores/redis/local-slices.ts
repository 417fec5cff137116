import type { Balance, Charge, CountWindow, Reservation, Reserved } from "../../ledger/counter-store.ts";
import { MemoryCounterStore } from "../memory/memory-counter-store.ts";
import { counterName } from "./counter-name.ts";

/** What a counter of all replicas said last. */
interface Seen extends Balance {
  readonly atMs: number;
}

/** This replica's place among the living ones, from 0, and how many they are. */
export interface Share {
  readonly place: number;
  readonly replicas: number;
}

const maxSeen = 20_000;
/** What others hold counts at least so long: as long as requests last. */
const longestHoldMs = 10 * 60_000;
/** How soon a refused client may come again when only the store could tell. */
const askAgainMs = 1_000;

/**
 * Counts while the store is away. Of what a limit had left when it was last seen each replica may use its share and no
 * more, so that all of them together do not pass it. Where it does not divide, the first places get one more: of a limit
 * of one, one replica may use it. Once a window has passed since, the share is of the whole limit.
 */
export class LocalSlices {
  readonly #seen = new Map<string, Seen>();
  #here = new MemoryCounterStore();
  #share: Share = { place: 0, replicas: 1 };

  /** Begins to count anew: what was counted before is in the store, and seen. */
  begin(): void {
    this.#here = new MemoryCounterStore();
  }

  setShare(share: Share): void {
    this.#share = share;
  }

  see(name: string, { settled, held }: Balance, atMs: number): void {
    this.#seen.delete(name);
    this.#seen.set(name, { settled, held, atMs });
    if (this.#seen.size <= maxSeen) return;
    const oldest = this.#seen.keys().next();
    if (oldest.done !== true) this.#seen.delete(oldest.value);
  }

  reserve(charges: readonly Charge[], nowMs: number): Reserved {
    const sliced = charges.map((charge) => ({ ...charge, limit: this.#slice(charge, nowMs) }));
    const reserved = this.#here.reserve(sliced, nowMs);
    if (reserved.ok) {
      const balances = charges.map(({ account, window }) => this.read(account, window, nowMs));
      return { ok: true, reservation: { charges, atMs: nowMs, balances } };
    }
    const { charge: refused, retryAfterMs } = reserved.refusal;
    const charge = charges[sliced.indexOf(refused)] ?? refused;
    const balance = this.read(charge.account, charge.window, nowMs);
    const wait = retryAfterMs ?? (charge.amount <= charge.limit ? askAgainMs : undefined);
    return { ok: false, refusal: { charge, balance, retryAfterMs: wait } };
  }

  settle(reservation: Reservation, actuals: readonly number[], nowMs: number): readonly Balance[] {
    this.#here.settle(reservation, actuals);
    return reservation.charges.map(({ account, window }) => this.read(account, window, nowMs));
  }

  book(account: string, window: CountWindow, amount: number, atMs: number): void {
    this.#here.book(account, window, amount, atMs);
  }

  /** What all replicas had used when last seen, and this one since. */
  read(account: string, window: CountWindow, nowMs: number): Balance {
    const seen = this.#seenNow(account, window, nowMs);
    const here = this.#here.read(account, window, nowMs);
    return { settled: Math.max(0, seen.settled + here.settled), held: Math.max(0, seen.held + here.held) };
  }

  #slice({ account, window, limit }: Charge, nowMs: number): number {
    if (limit === Number.POSITIVE_INFINITY) return limit;
    const seen = this.#seenNow(account, window, nowMs);
    const left = Math.max(0, limit - seen.settled - seen.held);
    const { place, replicas } = this.#share;
    const share = Math.floor(left / replicas) + (place < left % replicas ? 1 : 0);
    // A hold of before the outage gives room when it ends, but only while it is counted as seen.
    return seen.held > 0 ? share : share + Math.min(0, this.#here.read(account, window, nowMs).held);
  }

  #seenNow(account: string, window: CountWindow, nowMs: number): Balance {
    const seen = this.#seen.get(counterName(account, window));
    if (seen === undefined) return nothing;
    if (window.kind === "fixed") return seen;
    const ageMs = nowMs - seen.atMs;
    // The oldest of its 60 steps counts whole.
    const lastsMs = (window.lengthMs * 61) / 60;
    return {
      settled: ageMs <= lastsMs ? seen.settled : 0,
      held: ageMs <= Math.max(lastsMs, longestHoldMs) ? seen.held : 0,
    };
  }
}

const nothing: Balance = { settled: 0, held: 0 };
