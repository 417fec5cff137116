import type { Balance, Charge, CounterStore, CountWindow, Reservation, Reserved } from "../../ledger/counter-store.ts";

/** Steps of a sliding window; the ring has one more, because the oldest counts whole. */
const steps = 60;
const ringLength = steps + 1;

/** Sums of one fixed window of one account. */
interface FixedWindow {
  readonly endMs: number;
  settled: number;
  held: number;
}

interface SlidingSums {
  readonly kind: "sliding";
  readonly lengthMs: number;
  readonly ring: Float64Array;
  /** The newest step that the ring holds. */
  newest: number;
  settled: number;
  held: number;
}

interface FixedSums {
  readonly kind: "fixed";
  readonly windows: Map<number, FixedWindow>;
}

type Sums = SlidingSums | FixedSums;

/** A request may still reserve in the window it arrived in: ended ones are kept longer than any request lasts. */
const keepEndedMs = 24 * 3_600_000;
/** And so many are kept however old they are: a wall clock that was set ten years on may be set back. */
const keepWindows = 3;
/** No request arrives so long after it was sent: a wall clock that shows less was set back. */
const mostBackMs = 3_600_000;
/** Accounts that are looked at for one that may leave. */
const evictionTries = 64;

/**
 * Counts in this process only. Holds at most `maxAccounts`, the longest untouched leave first; but nothing leaves that is
 * held, or that a window longer than a minute still counts. Synchronous, so every reservation is atomic.
 */
export class MemoryCounterStore implements CounterStore {
  readonly #accounts = new Map<string, Sums>();
  readonly #maxAccounts: number;

  constructor(maxAccounts = 100_000) {
    this.#maxAccounts = maxAccounts;
  }

  get size(): number {
    return this.#accounts.size;
  }

  reserve(charges: readonly Charge[], nowMs: number): Reserved {
    const balances: Balance[] = [];
    for (const [at, charge] of charges.entries()) {
      this.#followBack(charge.account, nowMs);
      const found = this.#balance(charge.account, charge.window, nowMs);
      const earlier = earlierAmount(charges, at);
      if (found.settled + found.held + earlier + charge.amount > charge.limit) {
        const retryAfterMs = this.#retryAfter(charge, earlier, nowMs);
        return { ok: false, refusal: { charge, balance: found, retryAfterMs } };
      }
    }
    for (const { account, window, amount, certain } of charges) {
      balances.push(this.#add(account, window, nowMs, certain ? amount : 0, certain ? 0 : amount));
    }
    return { ok: true, reservation: { charges, atMs: nowMs, balances } };
  }

  settle({ charges, atMs }: Reservation, actuals: readonly number[]): readonly Balance[] {
    return charges.map(({ account, window, amount, certain }, i) =>
      certain ? this.#balance(account, window, atMs) : this.#add(account, window, atMs, actuals[i] ?? 0, -amount),
    );
  }

  book(account: string, window: CountWindow, amount: number, atMs: number): void {
    this.#add(account, window, atMs, amount, 0);
  }

  read(account: string, window: CountWindow, nowMs: number): Balance {
    return this.#balance(account, window, nowMs);
  }

  /** An account begins anew; what is held on it stays. */
  forgetSettled(account: string): void {
    const sums = this.#accounts.get(account);
    if (sums === undefined) return;
    if (sums.kind === "fixed") for (const window of sums.windows.values()) window.settled = 0;
    else {
      sums.ring.fill(0);
      sums.settled = 0;
    }
  }

  /** A sliding window that lies in a future which was called off begins anew; what is held stays held. */
  #followBack(account: string, nowMs: number): void {
    const sums = this.#accounts.get(account);
    if (sums?.kind !== "sliding") return;
    const { lengthMs, newest } = sums;
    if (nowMs >= (newest * lengthMs) / steps - lengthMs - mostBackMs) return;
    sums.ring.fill(0);
    sums.settled = 0;
    sums.newest = stepOf(sums, nowMs);
  }

  #balance(account: string, window: CountWindow, nowMs: number): Balance {
    const sums = this.#accounts.get(account);
    if (sums === undefined || sums.kind !== window.kind) return nothing;
    if (sums.kind === "fixed") {
      const found = window.kind === "fixed" ? sums.windows.get(window.startMs) : undefined;
      return found === undefined ? nothing : { settled: found.settled, held: found.held };
    }
    advance(sums, nowMs);
    return { settled: sums.settled, held: sums.held };
  }

  #add(account: string, window: CountWindow, atMs: number, settled: number, held: number): Balance {
    const sums = this.#open(account, window, atMs);
    if (sums.kind === "sliding") {
      // Once a step is order enough to know which were left alone longest.
      if (advance(sums, atMs)) {
        this.#accounts.delete(account);
        this.#accounts.set(account, sums);
      }
      const step = stepOf(sums, atMs);
      // A step that already left the window changes nothing that can still be read.
      if (step > sums.newest - ringLength) {
        sums.ring[step % ringLength] = (sums.ring[step % ringLength] ?? 0) + settled;
        sums.settled += settled;
      }
      sums.held += held;
      return { settled: sums.settled, held: sums.held };
    }
    if (window.kind === "sliding") return nothing;
    let fixed = sums.windows.get(window.startMs);
    if (fixed === undefined) {
      for (const [startMs, old] of sums.windows) {
        if (sums.windows.size <= keepWindows) break;
        if (old.held === 0 && old.endMs + keepEndedMs <= atMs) sums.windows.delete(startMs);
      }
      fixed = { endMs: window.endMs, settled: 0, held: 0 };
      sums.windows.set(window.startMs, fixed);
    }
    fixed.settled += settled;
    fixed.held += held;
    return { settled: fixed.settled, held: fixed.held };
  }

  #open(account: string, window: CountWindow, nowMs: number): Sums {
    const found = this.#accounts.get(account);
    if (found !== undefined) {
      if (fits(found, window)) return found;
      throw new Error(`The account ${account} was opened with another window.`);
    }
    const sums: Sums =
      window.kind === "fixed"
        ? { kind: "fixed", windows: new Map() }
        : {
            kind: "sliding",
            lengthMs: window.lengthMs,
            ring: new Float64Array(ringLength),
            newest: Math.floor((nowMs * steps) / window.lengthMs),
            settled: 0,
            held: 0,
          };
    if (this.#accounts.size >= this.#maxAccounts) this.#evict(nowMs);
    this.#accounts.set(account, sums);
    return sums;
  }

  #evict(nowMs: number): void {
    let tries = 0;
    for (const [account, sums] of this.#accounts) {
      this.#accounts.delete(account);
      if (!isNeeded(sums, nowMs)) return;
      // Out of the way of the next look.
      this.#accounts.set(account, sums);
      if (++tries >= evictionTries) return;
    }
  }

  #retryAfter({ account, window, amount, limit }: Charge, earlier: number, nowMs: number): number | undefined {
    if (amount + earlier > limit) return undefined;
    if (window.kind === "fixed") return Math.max(0, window.endMs - nowMs);
    const sums = this.#accounts.get(account);
    if (sums === undefined || sums.kind === "fixed") return undefined;
    let left = sums.settled + sums.held + earlier + amount - limit;
    for (let step = sums.newest - steps; step <= sums.newest; step++) {
      left -= sums.ring[((step % ringLength) + ringLength) % ringLength] ?? 0;
      // What is held may be released at any moment; what was settled leaves with its step.
      if (left <= 0) return Math.max(0, ((step + 1) * sums.lengthMs) / steps + sums.lengthMs - nowMs);
    }
    return undefined;
  }
}

const nothing: Balance = { settled: 0, held: 0 };

/** Whether forgetting it would let something through that a budget or a running request forbids. */
function isNeeded(sums: Sums, nowMs: number): boolean {
  if (sums.kind === "fixed") {
    return sums.windows.values().some(({ held, settled, endMs }) => held > 0 || (settled > 0 && endMs > nowMs));
  }
  advance(sums, nowMs);
  return sums.held > 0 || (sums.settled > 0 && sums.lengthMs > minuteMs);
}

const minuteMs = 60_000;

function fits(sums: Sums, window: CountWindow): boolean {
  return window.kind === "fixed" ? sums.kind === "fixed" : sums.kind === "sliding" && sums.lengthMs === window.lengthMs;
}

/** What earlier charges of the same reservation already ask of the same account. */
function earlierAmount(charges: readonly Charge[], at: number): number {
  let sum = 0;
  for (let i = 0; i < at; i++) if (charges[i]?.account === charges[at]?.account) sum += charges[i]?.amount ?? 0;
  return sum;
}

function stepOf(sums: SlidingSums, atMs: number): number {
  return Math.floor((atMs * steps) / sums.lengthMs);
}

/** Lets go of the steps that left the window by `nowMs`; whether there was a new one. */
function advance(sums: SlidingSums, nowMs: number): boolean {
  const now = stepOf(sums, nowMs);
  if (now <= sums.newest) return false;
  const gone = Math.min(now - sums.newest, ringLength);
  for (let i = 1; i <= gone; i++) {
    const at = (sums.newest + i) % ringLength;
    sums.settled -= sums.ring[at] ?? 0;
    sums.ring[at] = 0;
  }
  sums.newest = now;
  return true;
}
