import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";

interface Rule {
  /** Failures before the first lock. */
  readonly freeTries: number;
  readonly longestLockMs: number;
  readonly mostAtOnce: number;
}

/**
 * An account alone is locked only late and shortly, and an address alone late: a stranger who guesses must not keep out
 * the account's owner, or everybody behind one proxy.
 */
const rules = {
  /** Whatever one client can try again and again: an account from an address. */
  client: { freeTries: 5, longestLockMs: 900_000, mostAtOnce: 16 },
  account: { freeTries: 100, longestLockMs: 5_000, mostAtOnce: Number.POSITIVE_INFINITY },
  address: { freeTries: 50, longestLockMs: 60_000, mostAtOnce: Number.POSITIVE_INFINITY },
} as const satisfies Record<string, Rule>;

/** What tries are counted for. */
export type LockSubject = readonly [kind: keyof typeof rules, name: string];

interface Tries {
  failures: number;
  lastMs: number;
  lockedUntilMs: number;
  running: number;
}

const firstLockMs = 1_000;
/** After so long without a failure the earlier ones count no more. */
const forgetMs = 3_600_000;
/** The oldest are forgotten first. */
const mostSubjects = 10_000;

/** Slows down guessing: after some failures each further one doubles the lock of its subjects, up to a bound. */
export class LockOut {
  readonly #clock: Clock;
  readonly #tries = new Map<string, Tries>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs a check, and counts it when it says false. A check that throws counts as nothing. Once a subject was locked its
   * tries run one at a time, so that many at once gain nothing.
   * @throws GatewayError `locked_out` without running it
   */
  async check(subjects: readonly LockSubject[], isRight: () => Promise<boolean>): Promise<boolean> {
    const known = subjects.map(([kind, name]) => ({ rule: rules[kind], key: `${kind} ${name}` }));
    const entries = known.map(({ rule, key }) => ({ rule, key, tries: this.#of(key) }));
    this.#refuseLocked(entries);
    for (const { tries } of entries) tries.running++;
    try {
      const right = await isRight();
      if (right) for (const { key } of entries) this.#tries.delete(key);
      else for (const { rule, key, tries } of entries) this.#fail(rule, key, tries);
      return right;
    } finally {
      for (const { tries } of entries) tries.running--;
    }
  }

  #refuseLocked(entries: readonly { readonly rule: Rule; readonly tries: Tries }[]): void {
    const nowMs = this.#clock.now();
    const waits = entries.map(({ rule, tries }) => {
      if (tries.lockedUntilMs > nowMs) return tries.lockedUntilMs - nowMs;
      const mostAtOnce = tries.failures >= rule.freeTries ? 1 : rule.mostAtOnce;
      return tries.running >= mostAtOnce ? firstLockMs : 0;
    });
    const retryAfterMs = Math.max(...waits);
    if (retryAfterMs === 0) return;
    throw new GatewayError("locked_out", "Too many failed tries. Wait before the next one.", { retryAfterMs });
  }

  #of(key: string): Tries {
    const found = this.#tries.get(key);
    if (found !== undefined && this.#clock.now() - found.lastMs < forgetMs) return found;
    const fresh = { failures: 0, lastMs: this.#clock.now(), lockedUntilMs: 0, running: found?.running ?? 0 };
    this.#keep(key, fresh);
    return fresh;
  }

  #fail({ freeTries, longestLockMs }: Rule, key: string, tries: Tries): void {
    const nowMs = this.#clock.now();
    const over = ++tries.failures - freeTries;
    tries.lastMs = nowMs;
    tries.lockedUntilMs = over < 0 ? 0 : nowMs + Math.min(longestLockMs, firstLockMs * 2 ** over);
    this.#keep(key, tries);
  }

  #keep(key: string, tries: Tries): void {
    // Set anew, so that the map's order is that of the last failure.
    this.#tries.delete(key);
    this.#tries.set(key, tries);
    if (this.#tries.size <= mostSubjects) return;
    const [oldest] = this.#tries.keys();
    if (oldest !== undefined) this.#tries.delete(oldest);
  }
}
