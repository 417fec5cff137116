import type { BudgetNotice } from "../../core/budget.ts";
import type { ErrorCode, GatewayError } from "../../core/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Randomness } from "../../lib/ids.ts";
import type { Secret } from "../../lib/secret.ts";
import type { Sink } from "../../telemetry/sink.ts";
import { budgetReachedEvent, operatorAlertEvent, type WebhookEvent } from "./webhook-event.ts";
import { webhookSignature } from "./webhook-signature.ts";

/** A receiver of events, as configured. */
export interface WebhookReceiver {
  readonly url: string;
  readonly secret: Secret;
  readonly events: readonly ("budget" | "alert")[];
}

export interface WebhookDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Told once when events begin to be lost, until one arrives again. Never called with the receiver's path or query. */
  readonly warn: (text: string) => void;
}

const maxQueued = 256;
const maxTries = 6;
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
const timeoutMs = 10_000;
/** How long the end of the process waits for what is queued. */
const closeMs = 5_000;
/** The same alert may come with every request: one a minute says as much. */
const alertEveryMs = 60_000;

interface Delivery {
  readonly id: string;
  readonly type: WebhookEvent["type"];
  readonly body: string;
}

type Outcome = "delivered" | "retry" | "refused";

/**
 * Posts events to one receiver, signed, in order, one at a time. A receiver that is slow or down is tried again with
 * growing pauses and never waited for; what does not fit the queue, or is refused for good, is counted and dropped.
 */
export class WebhookSink implements Sink {
  readonly name = "webhook";
  readonly #receiver: WebhookReceiver;
  readonly #deps: WebhookDeps;
  readonly #queue: Delivery[] = [];
  readonly #alertedMs = new Map<ErrorCode, number>();
  /** The deliveries under way; undefined while nothing is queued. */
  #work: Promise<void> | undefined;
  /** Ends the pause before the next try. */
  #wake: (() => void) | undefined;
  #abort: AbortController | undefined;
  #closing = false;
  #gaveUp = false;
  #warned = false;
  #dropped = 0;

  constructor(receiver: WebhookReceiver, deps: WebhookDeps) {
    this.#receiver = receiver;
    this.#deps = deps;
  }

  /** Events that were lost since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  exchangeSettled(): void {}

  budgetReached(notice: BudgetNotice): void {
    if (this.#receiver.events.includes("budget")) this.#enqueue(budgetReachedEvent(notice));
  }

  operatorAlert(error: GatewayError, exchangeId: string): void {
    if (!this.#receiver.events.includes("alert")) return;
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const lastMs = this.#alertedMs.get(error.code);
    if (lastMs !== undefined && nowMs - lastMs < alertEveryMs) return;
    this.#alertedMs.set(error.code, nowMs);
    this.#enqueue(operatorAlertEvent(error, exchangeId, clock.now()));
  }

  /** Sends what is queued, for at most five seconds; the rest is dropped. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    if (this.#work === undefined) return;
    const cancel = this.#deps.clock.after(closeMs, () => {
      this.#gaveUp = true;
      this.#abort?.abort();
      this.#wake?.();
    });
    await this.#work;
    cancel();
  }

  #enqueue(event: WebhookEvent): void {
    if (this.#closing || this.#queue.length >= maxQueued) {
      this.#drop(1, this.#closing ? "the gateway is shutting down" : "its queue is full");
      return;
    }
    const id = this.#deps.randomness.id();
    this.#queue.push({ id, type: event.type, body: JSON.stringify({ id, ...event }) });
    this.#work ??= this.#deliverAll();
  }

  async #deliverAll(): Promise<void> {
    // Whoever queues the first event must not be the one who signs it.
    await Promise.resolve();
    for (let next = this.#queue[0]; next !== undefined && !this.#gaveUp; next = this.#queue[0]) {
      const failure = await this.#deliver(next);
      // It stays in the queue, and in its count, until it is decided.
      this.#queue.shift();
      if (failure === undefined) this.#warned = false;
      else this.#drop(1, failure);
    }
    // In one step with finding the queue empty: what is queued from now on starts anew.
    this.#work = undefined;
    this.#drop(this.#queue.splice(0).length, "the gateway is shutting down");
  }

  /** Returns why the delivery is lost, or undefined when it arrived. */
  async #deliver(delivery: Delivery): Promise<string | undefined> {
    for (let tries = 1; ; tries++) {
      const outcome = await this.#post(delivery);
      if (outcome === "delivered") return undefined;
      if (outcome === "refused") return "it refuses events";
      if (tries >= maxTries || this.#gaveUp) return `it did not take an event in ${tries} tries`;
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (tries - 1));
      // At least half of the pause, so that a receiver that comes back is not met by everyone at once, nor at once.
      await this.#pause(waitMs * (0.5 + this.#deps.randomness.fraction() / 2));
    }
  }

  async #post({ id, type, body }: Delivery): Promise<Outcome> {
    const { clock } = this.#deps;
    const abort = new AbortController();
    this.#abort = abort;
    const cancel = clock.after(timeoutMs, () => abort.abort());
    const timestamp = Math.floor(clock.now() / 1000);
    try {
      const response = await fetch(this.#receiver.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": "fairlead",
          "x-fairlead-event": type,
          "x-fairlead-delivery": id,
          "x-fairlead-timestamp": String(timestamp),
          "x-fairlead-signature": webhookSignature(this.#receiver.secret, timestamp, body),
        },
        body,
        // A signed body follows nobody's redirect, and no proxy variable of the process.
        redirect: "manual",
        proxy: false,
        signal: abort.signal,
      } as BunFetchRequestInit);
      await response.body?.cancel();
      return judge(response.status);
    } catch {
      return "retry";
    } finally {
      cancel();
      this.#abort = undefined;
    }
  }

  /** While closing, pauses are cut short: whatever is left gets its tries before the time is up. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.after(this.#closing ? Math.min(ms, firstWaitMs / 4) : ms, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        cancel();
        resolve();
      };
    });
  }

  #drop(count: number, why: string): void {
    if (count === 0) return;
    this.#dropped += count;
    if (this.#warned) return;
    this.#warned = true;
    this.#deps.warn(`Events for the webhook at ${new URL(this.#receiver.url).host} are lost: ${why}.`);
  }
}

function judge(status: number): Outcome {
  if (status >= 200 && status < 300) return "delivered";
  return status === 408 || status === 429 || status >= 500 ? "retry" : "refused";
}
