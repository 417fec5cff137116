import type { CountWindow } from "../../ledger/counter-store.ts";
import type { CounterChange } from "./counter-change.ts";
import { counterName } from "./counter-name.ts";

interface Held {
  readonly account: string;
  readonly window: CountWindow;
  amount: number;
}

interface Owed {
  readonly account: string;
  readonly window: CountWindow;
  readonly atMs: number;
  amount: number;
}

/** Most sums that wait for the store; the oldest leaves first. */
const maxOwed = 50_000;
const steps = 60;

/**
 * What this replica holds, always, and what it settled that the store has not got yet. Sums, not single requests, so that
 * a long outage costs no more memory than there are counters.
 */
export class OwnCounts {
  readonly #held = new Map<string, Held>();
  readonly #owed = new Map<string, Owed>();
  /** What the store was told that this replica holds; undefined while each operation tells it itself. */
  #told: Map<string, Held> | undefined;

  /** `amount` may be negative: a hold ends. */
  hold(account: string, window: CountWindow, amount: number): void {
    if (amount === 0) return;
    const name = counterName(account, window);
    const found = this.#held.get(name);
    if (found === undefined) this.#held.set(name, { account, window, amount });
    else if (found.amount + amount === 0) this.#held.delete(name);
    else found.amount += amount;
  }

  owe(account: string, window: CountWindow, amount: number, atMs: number): void {
    if (amount === 0) return;
    const name = counterName(account, window);
    const place = window.kind === "fixed" ? name : `${name}@${Math.floor((atMs * steps) / window.lengthMs)}`;
    const found = this.#owed.get(place);
    if (found !== undefined) {
      found.amount += amount;
      if (found.amount === 0) this.#owed.delete(place);
      return;
    }
    if (this.#owed.size >= maxOwed) this.#dropOldest();
    this.#owed.set(place, { account, window, atMs, amount });
  }

  /** Forgets what is owed on accounts that somebody else tells the store of. */
  forgive(isForgiven: (account: string) => boolean): void {
    for (const [place, { account }] of this.#owed) if (isForgiven(account)) this.#owed.delete(place);
  }

  /** Everything held and owed, for a store that forgot what this replica holds. What comes after it is in `takeNew`. */
  takeAll(atMs: number): CounterChange[] {
    this.#told = new Map();
    return this.takeNew(atMs);
  }

  /** What changed since the last take. After the last one each operation tells the store itself. */
  takeNew(atMs: number, isLast = false): CounterChange[] {
    const told = this.#told ?? new Map<string, Held>();
    const changes: CounterChange[] = [];
    for (const [name, { account, window, amount }] of this.#held) {
      const change = amount - (told.get(name)?.amount ?? 0);
      if (change === 0) continue;
      changes.push({ account, window, atMs, settled: 0, held: change });
      told.set(name, { account, window, amount });
    }
    for (const [name, { account, window, amount }] of told) {
      if (this.#held.has(name)) continue;
      told.delete(name);
      changes.push({ account, window, atMs, settled: 0, held: -amount });
    }
    for (const { amount, ...rest } of this.#owed.values()) changes.push({ ...rest, settled: amount, held: 0 });
    this.#owed.clear();
    if (isLast) this.#told = undefined;
    return changes;
  }

  get size(): number {
    return this.#held.size + this.#owed.size;
  }

  #dropOldest(): void {
    const oldest = this.#owed.keys().next();
    if (oldest.done !== true) this.#owed.delete(oldest.value);
  }
}
