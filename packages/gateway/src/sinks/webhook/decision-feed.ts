import type { ExchangeRecord } from "../../core/exchange-record.ts";
import { toDollars } from "../../core/money.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Randomness } from "../../lib/ids.ts";
import { decisionWire } from "../../telemetry/decision-wire.ts";
import type { Delivery, WebhookCourier } from "./webhook-courier.ts";

/** Decisions of one delivery. */
const maxBatch = 100;
/** How long a decision waits for others. */
const batchMs = 1_000;
/** What waits for a receiver that is slow or down; the oldest goes first. */
export const maxWaiting = 5_000;

export interface DecisionFeedDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly courier: WebhookCourier;
  readonly lost: (count: number, why: string) => void;
  readonly arrived: () => void;
}

/**
 * Sends settled decisions in batches, in order: up to 100, or what came within a second. Nothing waits for it; where the
 * receiver cannot follow, the oldest are dropped and each batch tells how many were before it.
 */
export class DecisionFeed {
  readonly #deps: DecisionFeedDeps;
  /** A ring, so that dropping the oldest costs nothing. */
  readonly #waiting: (ExchangeRecord | undefined)[] = new Array(maxWaiting);
  #first = 0;
  #count = 0;
  #droppedSince = 0;
  #work: Promise<void> | undefined;
  #stopTimer: (() => void) | undefined;
  #closing = false;

  constructor(deps: DecisionFeedDeps) {
    this.#deps = deps;
  }

  /** An exchange settled; one that was never decided tells nothing. */
  push(record: ExchangeRecord): void {
    if (record.routing === undefined) return;
    if (this.#closing) {
      this.#lose(1, "the gateway is shutting down");
      return;
    }
    if (this.#count === maxWaiting) {
      this.#take();
      this.#lose(1, "decisions come faster than it takes them");
    }
    this.#waiting[(this.#first + this.#count) % maxWaiting] = record;
    this.#count++;
    if (this.#work !== undefined) return;
    if (this.#count >= maxBatch) this.#start();
    else this.#stopTimer ??= this.#deps.clock.after(batchMs, () => this.#start());
  }

  /** Sends what waits, until its courier gives up. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#count > 0 && this.#work === undefined) this.#start();
    await this.#work;
    this.#stopTimer?.();
  }

  #start(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#work ??= this.#deliverAll();
  }

  async #deliverAll(): Promise<void> {
    const { courier, arrived, clock } = this.#deps;
    // Whoever settles the last decision of a batch must not be the one who writes it.
    await Promise.resolve();
    do {
      const batch = this.#batch();
      const failure = await courier.deliver(batch.delivery);
      if (failure === undefined) arrived();
      else {
        // Nobody heard of what was dropped before it either.
        this.#droppedSince += batch.dropped;
        this.#lose(batch.count, failure);
      }
    } while (!courier.gaveUp && (this.#count >= maxBatch || (this.#closing && this.#count > 0)));
    this.#work = undefined;
    if (courier.gaveUp) this.#lose(this.#clear(), "the gateway is shutting down");
    else if (this.#count > 0) this.#stopTimer ??= clock.after(batchMs, () => this.#start());
  }

  #batch(): { readonly delivery: Delivery; readonly count: number; readonly dropped: number } {
    const { clock, randomness } = this.#deps;
    const data: unknown[] = [];
    while (data.length < maxBatch && this.#count > 0) {
      const record = this.#take();
      if (record !== undefined) data.push(decisionEvent(record));
    }
    const id = randomness.id();
    const type = "decision.batch";
    const at = new Date(clock.now()).toISOString();
    const dropped = this.#droppedSince;
    this.#droppedSince = 0;
    return {
      delivery: { id, type, body: JSON.stringify({ id, type, at, dropped, data }) },
      count: data.length,
      dropped,
    };
  }

  #take(): ExchangeRecord | undefined {
    const record = this.#waiting[this.#first];
    this.#waiting[this.#first] = undefined;
    this.#first = (this.#first + 1) % maxWaiting;
    this.#count--;
    return record;
  }

  #clear(): number {
    const count = this.#count;
    while (this.#count > 0) this.#take();
    return count;
  }

  #lose(count: number, why: string): void {
    this.#droppedSince += count;
    this.#deps.lost(count, why);
  }
}

/** What `GET /v1/decisions/{id}` answers, and what came of it: no prompt, no answer, no secret. */
function decisionEvent(record: ExchangeRecord) {
  const { cost, usage, keyId, team, tags } = record;
  return {
    ...decisionWire(record),
    key_id: keyId ?? null,
    team: team ?? null,
    tags,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cost_usd: cost === undefined ? null : toDollars(cost),
  };
}
