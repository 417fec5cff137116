import type { Balance, Charge, CountWindow, Reservation, Reserved } from "../../ledger/counter-store.ts";
import { MemoryCounterStore } from "../memory/memory-counter-store.ts";
import { counterName } from "./counter-name.ts";

/** What a counter of all replicas said last. */
interface Seen extends Balance {
  readonly atMs: number;
  /** Of what was held, this replica's holds that have ended since: room that is its own. */
  freed: number;
}

type SeenNow = Omit<Seen, "atMs">;

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
  /** Charges that were reserved here; all others were seen by the store. */
  #reservedHere = new WeakSet<Charge>();
  #share: Share = { place: 0, replicas: 1 };

  /** Begins to count anew: what was counted before is in the store, and seen. */
  begin(): void {
    this.#here = new MemoryCounterStore();
    this.#reservedHere = new WeakSet();
  }

  setShare(share: Share): void {
    this.#share = share;
  }

  see(name: string, { settled, held }: Balance, atMs: number): void {
    this.#seen.delete(name);
    this.#seen.set(name, { settled, held, atMs, freed: 0 });
    if (this.#seen.size <= maxSeen) return;
    const oldest = this.#seen.keys().next();
    if (oldest.done !== true) this.#seen.delete(oldest.value);
  }

  reserve(charges: readonly Charge[], nowMs: number): Reserved {
    const sliced = charges.map((charge) => ({ ...charge, limit: this.#slice(charge, nowMs) }));
    const reserved = this.#here.reserve(sliced, nowMs);
    if (reserved.ok) {
      for (const charge of charges) this.#reservedHere.add(charge);
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
    const { charges, atMs } = reservation;
    for (const [i, charge] of charges.entries()) {
      const actual = actuals[i] ?? 0;
      if (this.#reservedHere.has(charge)) this.#here.settle({ charges: [charge], atMs, balances: [] }, [actual]);
      else if (!charge.certain) this.#endSeen(charge, actual, atMs);
    }
    return charges.map(({ account, window }) => this.read(account, window, nowMs));
  }

  book(account: string, window: CountWindow, amount: number, atMs: number): void {
    this.#here.book(account, window, amount, atMs);
  }

  /** What all replicas had used when last seen, and this one since. */
  read(account: string, window: CountWindow, nowMs: number): Balance {
    const seen = this.#seenNow(account, window, nowMs);
    const here = this.#here.read(account, window, nowMs);
    return { settled: seen.settled + here.settled, held: Math.max(0, seen.held - seen.freed) + here.held };
  }

  #slice({ account, window, limit }: Charge, nowMs: number): number {
    if (limit === Number.POSITIVE_INFINITY) return limit;
    const seen = this.#seenNow(account, window, nowMs);
    const left = Math.max(0, limit - seen.settled - seen.held);
    const { place, replicas } = this.#share;
    const share = Math.floor(left / replicas) + (place < left % replicas ? 1 : 0);
    return share + seen.freed;
  }

  #endSeen({ account, window, amount }: Charge, actual: number, atMs: number): void {
    const seen = this.#seen.get(counterName(account, window));
    if (seen !== undefined) seen.freed = Math.min(seen.held, seen.freed + amount);
    this.#here.book(account, window, actual, atMs);
  }

  #seenNow(account: string, window: CountWindow, nowMs: number): SeenNow {
    const seen = this.#seen.get(counterName(account, window));
    if (seen === undefined) return nothing;
    if (window.kind === "fixed") return seen;
    const ageMs = nowMs - seen.atMs;
    // The oldest of its 60 steps counts whole.
    const lastsMs = (window.lengthMs * 61) / 60;
    const settled = ageMs <= lastsMs ? seen.settled : 0;
    if (ageMs > Math.max(lastsMs, longestHoldMs)) return { settled, held: 0, freed: 0 };
    return { settled, held: seen.held, freed: seen.freed };
  }
}

const nothing: SeenNow = { settled: 0, held: 0, freed: 0 };
