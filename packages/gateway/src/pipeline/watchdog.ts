import type { Timeouts } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";

/**
 * Ends one attempt when it breaks one of its time limits. One timer serves all limits; `listening` on every read costs a
 * clock read. `stop` must be called on every exit.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #limits: Timeouts;
  readonly #expire: (error: GatewayError) => void;
  readonly #startedMs: number;
  /** Since when a read is waiting; undefined while nobody reads, for a slow client is not the upstream's silence. */
  #listeningMs: number | undefined;
  #connected = false;
  #content = false;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, limits: Timeouts, expire: (error: GatewayError) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#expire = expire;
    this.#startedMs = clock.monotonicMs();
    this.#arm(this.#startedMs);
  }

  /** The host took a connection, on whatever evidence. */
  connected(): void {
    this.#connected = true;
  }

  /** Bytes came: headers, pings or content. */
  heard(): void {
    this.#connected = true;
    this.#listeningMs = undefined;
  }

  /** A read begins: from now on silence counts. */
  listening(): void {
    this.#listeningMs = this.#clock.monotonicMs();
  }

  content(): void {
    this.#content = true;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The limits still in force, as monotonic deadlines. */
  #deadlines(): { atMs: number; error: () => GatewayError }[] {
    const { connectMs, firstContentMs, idleMs, totalMs } = this.#limits;
    const start = this.#startedMs;
    const all = [{ atMs: start + totalMs, error: () => timeoutError("total_timeout", "did not finish", totalMs) }];
    if (!this.#connected) {
      all.push({
        atMs: start + connectMs,
        error: () => timeoutError("connect_timeout", "took no connection", connectMs),
      });
    }
    if (!this.#content) {
      const error = () => timeoutError("first_content_timeout", "sent no content", firstContentMs);
      all.push({ atMs: start + firstContentMs, error });
    }
    if (this.#listeningMs !== undefined) {
      all.push({ atMs: this.#listeningMs + idleMs, error: () => timeoutError("idle_timeout", "fell silent", idleMs) });
    }
    return all;
  }

  #arm(nowMs: number): void {
    const next = Math.min(...this.#deadlines().map((deadline) => deadline.atMs), nowMs + this.#limits.idleMs);
    this.#cancel = this.#clock.after(Math.max(1, next - nowMs), () => this.#check());
  }

  #check(): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.monotonicMs();
    const broken = this.#deadlines().find((deadline) => deadline.atMs <= nowMs);
    if (broken === undefined) {
      this.#arm(nowMs);
      return;
    }
    this.#stopped = true;
    this.#expire(broken.error());
  }
}

type TimeoutCode = "connect_timeout" | "first_content_timeout" | "idle_timeout" | "total_timeout";

function timeoutError(code: TimeoutCode, what: string, limitMs: number): GatewayError {
  return new GatewayError(code, `The upstream ${what} within ${limitMs} ms.`);
}
