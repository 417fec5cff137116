import type { Priority } from "@fairlead/contract/resilience-schema";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Clock } from "../lib/clock.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface OverloadLimits {
  readonly maxConcurrent: number;
  readonly queue: { readonly max: number; readonly waitMs: number };
}

/** Why a request was not let in: no place to wait, a wait that would be too long, one that was, a place taken by another. */
export const refusalReasons = ["queue_full", "too_long", "timed_out", "displaced"] as const;
export type RefusalReason = (typeof refusalReasons)[number];

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: RefusalReason) => void;
}

/** Of so many slots that come free while both kinds wait, one goes to a batch request. */
const batchTurn = 8;
/** Weight of the newest gap, and how many there must be before a wait is predicted. */
const gapWeight = 0.1;
const fewestGaps = 10;
const shortestHintMs = 1_000;
const longestHintMs = 30_000;

/**
 * Bounds how many requests are served at one time, and how many wait for that. Interactive ones go first, in the order
 * they came; a batch one gets every eighth slot, and gives its place up when there are no more. One that would wait too
 * long is told so at once.
 */
export class OverloadGate {
  readonly #clock: Clock;
  #limits: OverloadLimits;
  #running = 0;
  readonly #lines = { interactive: new WaitingLine<Waiter>(), batch: new WaitingLine<Waiter>() };
  /** Interactive requests that were let in since a batch one could have been. */
  #passed = 0;
  /** Mean milliseconds between two slots that come free while somebody waits. */
  #gapMs = 0;
  #gaps = 0;
  #freedMs = 0;
  readonly #refused: Record<RefusalReason, number> = { queue_full: 0, too_long: 0, timed_out: 0, displaced: 0 };
  readonly #leave = (): void => {
    this.#running--;
    this.#noteFreed();
    this.#admitNext();
  };

  constructor(limits: OverloadLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get running(): number {
    return this.#running;
  }

  /** How many were not let in since the start. */
  get refused(): Readonly<Record<RefusalReason, number>> {
    return this.#refused;
  }

  waiting(priority: Priority): number {
    return this.#lines[priority].length;
  }

  /** Goes by other limits from now on; whoever waits keeps waiting. */
  follow(limits: OverloadLimits): void {
    this.#limits = limits;
    this.#admitNext();
  }

  /**
   * Lets an exchange in until it settles: at once, or when the returned promise resolves. It rejects with
   * `overcapacity`, or with what ended the exchange meanwhile.
   * @throws GatewayError `overcapacity`
   */
  enter(exchange: Exchange, priority: Priority): Promise<void> | undefined {
    if (this.#running < this.#limits.maxConcurrent) {
      this.#letIn(exchange);
      return undefined;
    }
    const { max, waitMs } = this.#limits.queue;
    // Somebody must wait for it to be known how long that takes.
    if (this.#waitingAll > 0 && this.#expectedMs(priority) > waitMs) throw this.#refusal("too_long", priority);
    if (this.#waitingAll >= max) {
      const displaced = priority === "interactive" ? this.#lines.batch.last : undefined;
      if (displaced === undefined || max === 0) throw this.#refusal("queue_full", priority);
      displaced.refuse("displaced");
    }
    return this.#wait(exchange, priority, waitMs);
  }

  get #waitingAll(): number {
    return this.#lines.interactive.length + this.#lines.batch.length;
  }

  #wait(exchange: Exchange, priority: Priority, waitMs: number): Promise<void> {
    const beganMs = this.#clock.monotonicMs();
    if (this.#waitingAll === 0) this.#freedMs = beganMs;
    exchange.waits(beganMs);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = (): void => {
      leaveLine();
      cancelTimer();
      unlisten();
      exchange.waited();
    };
    const waiter: Waiter = {
      admit: () => {
        end();
        this.#letIn(exchange);
        resolve();
      },
      refuse: (reason) => {
        end();
        reject(this.#refusal(reason, priority));
      },
    };
    const leaveLine = this.#lines[priority].join(waiter);
    const cancelTimer = this.#clock.after(waitMs, () => waiter.refuse("timed_out"));
    let unlisten = (): void => {};
    unlisten = exchange.client.listen((reason) => {
      end();
      reject(reason);
    });
    return promise;
  }

  #letIn(exchange: Exchange): void {
    this.#running++;
    exchange.whenSettled(this.#leave);
  }

  #admitNext(): void {
    while (this.#running < this.#limits.maxConcurrent) {
      const next = this.#next();
      if (next === undefined) return;
      next.admit();
    }
  }

  #next(): Waiter | undefined {
    const { interactive, batch } = this.#lines;
    if (batch.first === undefined) return interactive.first;
    if (interactive.first !== undefined && this.#passed < batchTurn - 1) {
      this.#passed++;
      return interactive.first;
    }
    this.#passed = 0;
    return batch.first;
  }

  #noteFreed(): void {
    if (this.#waitingAll === 0) return;
    const nowMs = this.#clock.monotonicMs();
    this.#gaps++;
    this.#gapMs += (nowMs - this.#freedMs - this.#gapMs) * Math.max(gapWeight, 1 / this.#gaps);
    this.#freedMs = nowMs;
  }

  /** How long one that came now would wait; 0 while that is not known. Others that will go before it are not counted. */
  #expectedMs(priority: Priority): number {
    if (this.#gaps < fewestGaps) return 0;
    const { interactive, batch } = this.#lines;
    const batchBefore =
      priority === "batch" ? batch.length : Math.min(batch.length, Math.floor(interactive.length / (batchTurn - 1)));
    // A silence that is longer than usual counts as one more gap.
    const silenceMs = this.#waitingAll === 0 ? 0 : this.#clock.monotonicMs() - this.#freedMs;
    const gapMs = this.#gapMs + Math.max(0, silenceMs - this.#gapMs) * gapWeight;
    return (interactive.length + batchBefore + 1) * gapMs;
  }

  #refusal(reason: RefusalReason, priority: Priority): GatewayError {
    this.#refused[reason]++;
    const retryAfterMs = Math.min(longestHintMs, Math.max(shortestHintMs, this.#expectedMs(priority)));
    const { maxConcurrent } = this.#limits;
    const why = {
      queue_full: "no more may wait",
      too_long: "the wait would be too long",
      timed_out: `none ended within ${this.#limits.queue.waitMs} ms`,
      displaced: "interactive ones took the places of batch ones that waited",
    }[reason];
    return new GatewayError("overcapacity", `This gateway serves ${maxConcurrent} requests already, and ${why}.`, {
      retryAfterMs,
    });
  }
}
