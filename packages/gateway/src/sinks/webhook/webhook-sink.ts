import type { BudgetNotice } from "../../core/budget.ts";
import type { ErrorCode, GatewayError } from "../../core/errors.ts";
import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Randomness } from "../../lib/ids.ts";
import type { Secret } from "../../lib/secret.ts";
import type { Sink } from "../../telemetry/sink.ts";
import { DecisionFeed } from "./decision-feed.ts";
import { type Delivery, WebhookCourier } from "./webhook-courier.ts";
import { budgetReachedEvent, operatorAlertEvent, type WebhookEvent } from "./webhook-event.ts";

/** A receiver of events, as configured. */
export interface WebhookReceiver {
  readonly url: string;
  readonly secret: Secret;
  readonly events: readonly ("budget" | "alert" | "decision")[];
}

export interface WebhookDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Told once when events begin to be lost, until one arrives again. Never called with the receiver's path or query. */
  readonly warn: (text: string) => void;
}

const maxQueued = 256;
/** How long the end of the process waits for what is queued. */
const closeMs = 5_000;
/** The same alert may come with every request: one a minute says as much. */
const alertEveryMs = 60_000;

/**
 * Posts events to one receiver, signed, in order, one at a time; decisions in batches beside them. A receiver that is slow
 * or down is tried again with growing pauses and never waited for; what does not fit the queue, or is refused for good, is
 * counted and dropped.
 */
export class WebhookSink implements Sink {
  readonly name = "webhook";
  readonly #receiver: WebhookReceiver;
  readonly #deps: WebhookDeps;
  readonly #courier: WebhookCourier;
  /** Decisions have a courier of their own: they hold no budget's notice up, and take no room of it. */
  readonly #decisionCourier: WebhookCourier;
  readonly #decisions: DecisionFeed | undefined;
  readonly #queue: Delivery[] = [];
  readonly #alertedMs = new Map<ErrorCode, number>();
  /** The deliveries under way; undefined while nothing is queued. */
  #work: Promise<void> | undefined;
  #closing = false;
  #warned = false;
  #dropped = 0;

  constructor(receiver: WebhookReceiver, deps: WebhookDeps) {
    this.#receiver = receiver;
    this.#deps = deps;
    this.#courier = new WebhookCourier(receiver, deps);
    this.#decisionCourier = new WebhookCourier(receiver, deps);
    if (!receiver.events.includes("decision")) return;
    this.#decisions = new DecisionFeed({
      ...deps,
      courier: this.#decisionCourier,
      lost: (count, why) => this.#drop(count, why),
      arrived: () => {
        this.#warned = false;
      },
    });
  }

  /** Events that were lost since the start; each decision is one. */
  get dropped(): number {
    return this.#dropped;
  }

  exchangeSettled(record: ExchangeRecord): void {
    this.#decisions?.push(record);
  }

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
    this.#courier.hurry();
    this.#decisionCourier.hurry();
    const work = [this.#work, this.#decisions?.close()].filter((part) => part !== undefined);
    if (work.length === 0) return;
    const cancel = this.#deps.clock.after(closeMs, () => {
      this.#courier.giveUp();
      this.#decisionCourier.giveUp();
    });
    await Promise.all(work);
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
    const courier = this.#courier;
    // Whoever queues the first event must not be the one who signs it.
    await Promise.resolve();
    for (let next = this.#queue[0]; next !== undefined && !courier.gaveUp; next = this.#queue[0]) {
      const failure = await courier.deliver(next);
      // It stays in the queue, and in its count, until it is decided.
      this.#queue.shift();
      if (failure === undefined) this.#warned = false;
      else this.#drop(1, failure);
    }
    // In one step with finding the queue empty: what is queued from now on starts anew.
    this.#work = undefined;
    this.#drop(this.#queue.splice(0).length, "the gateway is shutting down");
  }

  #drop(count: number, why: string): void {
    if (count === 0) return;
    this.#dropped += count;
    if (this.#warned) return;
    this.#warned = true;
    this.#deps.warn(`Events for the webhook at ${new URL(this.#receiver.url).host} are lost: ${why}.`);
  }
}
