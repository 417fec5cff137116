import type { Timeouts } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";

export interface WatchdogEvents {
  /** A limit is broken; called once. */
  readonly expired: (error: GatewayError) => void;
  /** Half the connect limit passed without a sign of life: time to find out; called at most once. */
  readonly doubted: () => void;
}

/**
 * Ends one attempt when it breaks one of its time limits. One timer serves all limits; `listening` on every read costs a
 * clock read. `stop` must be called on every exit.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #limits: Timeouts;
  readonly #on: WatchdogEvents;
  readonly #startedMs: number;
  /** Since when a read is waiting; undefined while nobody reads, for a slow client is not the upstream's silence. */
  #listeningMs: number | undefined;
  #connected = false;
  #doubted = false;
  #content = false;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, limits: Timeouts, on: WatchdogEvents) {
    this.#clock = clock;
    this.#limits = limits;
    this.#on = on;
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

  /** The earliest deadline in force, as monotonic time; never later than one idle limit from now. */
  #nextMs(nowMs: number): number {
    const { connectMs, firstContentMs, idleMs, totalMs } = this.#limits;
    let next = Math.min(this.#startedMs + totalMs, (this.#listeningMs ?? nowMs) + idleMs);
    if (!this.#connected) next = Math.min(next, this.#startedMs + (this.#doubted ? connectMs : connectMs / 2));
    if (!this.#content) next = Math.min(next, this.#startedMs + firstContentMs);
    return next;
  }

  /** The limit that is broken, the tightest first. */
  #broken(nowMs: number): GatewayError | undefined {
    const { connectMs, firstContentMs, idleMs, totalMs } = this.#limits;
    const elapsedMs = nowMs - this.#startedMs;
    if (!this.#connected && elapsedMs >= connectMs) {
      return timeoutError("connect_timeout", "took no connection", connectMs);
    }
    if (!this.#content && elapsedMs >= firstContentMs) {
      return timeoutError("first_content_timeout", "sent no content", firstContentMs);
    }
    if (this.#listeningMs !== undefined && nowMs - this.#listeningMs >= idleMs) {
      return timeoutError("idle_timeout", "fell silent", idleMs);
    }
    if (elapsedMs >= totalMs) return timeoutError("total_timeout", "did not finish", totalMs);
    return undefined;
  }

  #doubt(nowMs: number): void {
    if (this.#connected || this.#doubted || nowMs - this.#startedMs < this.#limits.connectMs / 2) return;
    this.#doubted = true;
    this.#on.doubted();
  }

  #arm(nowMs: number): void {
    this.#cancel = this.#clock.after(Math.max(1, this.#nextMs(nowMs) - nowMs), () => this.#check());
  }

  #check(): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.monotonicMs();
    const error = this.#broken(nowMs);
    if (error === undefined) {
      this.#doubt(nowMs);
      this.#arm(nowMs);
      return;
    }
    this.#stopped = true;
    this.#on.expired(error);
  }
}

type TimeoutCode = "connect_timeout" | "first_content_timeout" | "idle_timeout" | "total_timeout";

function timeoutError(code: TimeoutCode, what: string, limitMs: number): GatewayError {
  return new GatewayError(code, `The upstream ${what} within ${limitMs} ms.`);
}
