import type { BudgetNotice } from "../core/budget.ts";
import type { GatewayError } from "../core/errors.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";

/** Receives every settled exchange. Synchronous, must not throw, must not block: queue and drop instead. */
export interface Sink {
  readonly name: string;
  exchangeSettled(record: ExchangeRecord): void;
  /** Something an operator must look at: a fault of the gateway's own, or a key an upstream refused. */
  operatorAlert(error: GatewayError, exchangeId: string): void;
  /** A budget's spending reached one of its thresholds. */
  budgetReached?(notice: BudgetNotice): void;
  /** Writes out what is queued; called once, at the end. */
  close(): Promise<void>;
}
