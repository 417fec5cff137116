import type { BudgetNotice } from "../../core/budget.ts";
import type { GatewayError } from "../../core/errors.ts";
import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { Sink } from "../../telemetry/sink.ts";
import { type WebhookDeps, type WebhookReceiver, WebhookSink } from "./webhook-sink.ts";

interface Hook {
  readonly receiver: WebhookReceiver;
  readonly sink: WebhookSink;
}

function isSame(a: WebhookReceiver, b: WebhookReceiver): boolean {
  return a.url === b.url && a.secret.reveal() === b.secret.reveal() && a.events.join() === b.events.join();
}

/** All receivers of events. One that stays in the config keeps its queue; one that left is still sent what it has queued. */
export class WebhookSinks implements Sink {
  readonly name = "webhooks";
  readonly #deps: WebhookDeps;
  #hooks: readonly Hook[] = [];
  #leaving: Promise<unknown> = Promise.resolve();

  constructor(deps: WebhookDeps) {
    this.#deps = deps;
  }

  follow(receivers: readonly WebhookReceiver[]): void {
    const before = [...this.#hooks];
    this.#hooks = receivers.map((receiver) => {
      const at = before.findIndex((hook) => isSame(hook.receiver, receiver));
      return at < 0 ? { receiver, sink: new WebhookSink(receiver, this.#deps) } : (before.splice(at, 1)[0] as Hook);
    });
    this.#leaving = Promise.all([this.#leaving, ...before.map(({ sink }) => sink.close())]);
  }

  exchangeSettled(record: ExchangeRecord): void {
    for (const { sink } of this.#hooks) sink.exchangeSettled(record);
  }

  operatorAlert(error: GatewayError, exchangeId: string): void {
    for (const { sink } of this.#hooks) sink.operatorAlert(error, exchangeId);
  }

  budgetReached(notice: BudgetNotice): void {
    for (const { sink } of this.#hooks) sink.budgetReached(notice);
  }

  async close(): Promise<void> {
    await Promise.all([this.#leaving, ...this.#hooks.map(({ sink }) => sink.close())]);
  }
}
