import type { BudgetNotice } from "../../core/budget.ts";
import type { GatewayError } from "../../core/errors.ts";
import { toDollars } from "../../core/money.ts";
import type { EpochMs } from "../../lib/clock.ts";

/** What one delivery tells, ready to be sent as JSON. */
export interface WebhookEvent {
  /** Sent as `x-fairlead-event` too. */
  readonly type: "budget.reached" | "operator.alert";
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly [name: string]: unknown;
}

/** Tells that a budget's spending reached one of its thresholds. Money is US dollars. */
export function budgetReachedEvent({ budget, threshold, spent, windowStartMs, at }: BudgetNotice): WebhookEvent {
  const { id, name, scope, hard, window } = budget;
  return {
    type: "budget.reached",
    at: new Date(at).toISOString(),
    threshold,
    spentUsd: toDollars(spent),
    budget: {
      id,
      name,
      scope: scope.value === undefined ? scope.kind : { [scope.kind]: scope.value },
      limitUsd: toDollars(budget.limit),
      hard,
      onExhausted: hard ? budget.onExhausted : null,
      window: window.kind === "calendar" ? window.unit : { rollingHours: window.lengthMs / 3_600_000 },
      timeZone: window.kind === "calendar" ? window.timeZone : null,
    },
    windowStart: new Date(windowStartMs).toISOString(),
  };
}

/** Tells what an operator must look at; causes and stack traces stay in the log. */
export function operatorAlertEvent(error: GatewayError, exchangeId: string, at: EpochMs): WebhookEvent {
  const { target, upstreamStatus } = error.detail;
  return {
    type: "operator.alert",
    at: new Date(at).toISOString(),
    code: error.code,
    message: error.message,
    target: target ?? null,
    upstreamStatus: upstreamStatus ?? null,
    exchangeId,
  };
}
