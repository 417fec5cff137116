import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";

interface Failures {
  count: number;
  lockedUntilMs: number;
}

/** Failures before the first lock. */
const freeTries = 5;
const firstLockMs = 1_000;
const longestLockMs = 900_000;
/** The oldest are forgotten first. */
const mostSubjects = 10_000;

/**
 * Slows down guessing: after five failures of an account or an address each further one doubles its lock, up to a
 * quarter of an hour. A try counts as failed until it succeeded, so that many at once gain nothing.
 */
export class LockOut {
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws GatewayError `locked_out` */
  begin(subjects: readonly string[]): void {
    const nowMs = this.#clock.now();
    const locked = Math.max(0, ...subjects.map((subject) => this.#failures.get(subject)?.lockedUntilMs ?? 0));
    if (locked > nowMs) {
      const message = "Too many failed tries. Wait before the next one.";
      throw new GatewayError("locked_out", message, { retryAfterMs: locked - nowMs });
    }
    for (const subject of subjects) this.#fail(subject, nowMs);
  }

  succeeded(subjects: readonly string[]): void {
    for (const subject of subjects) this.#failures.delete(subject);
  }

  #fail(subject: string, nowMs: number): void {
    const count = (this.#failures.get(subject)?.count ?? 0) + 1;
    const lockMs = count < freeTries ? 0 : Math.min(longestLockMs, firstLockMs * 2 ** (count - freeTries));
    // Set anew, so that the map's order is that of the last failure.
    this.#failures.delete(subject);
    this.#failures.set(subject, { count, lockedUntilMs: nowMs + lockMs });
    if (this.#failures.size > mostSubjects) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
  }
}
