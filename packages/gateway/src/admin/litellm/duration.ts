import type { BudgetWindow } from "../../core/budget.ts";
import { GatewayError } from "../../core/errors.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: hourMs,
  d: dayMs,
  w: 7 * dayMs,
  mo: 30 * dayMs,
};
/** The longest window budgets have. Stands for one that never ends. */
const longestMs = 366 * dayMs;
const longestLifeMs = 36_500 * dayMs;

/** `30d` in milliseconds; a month counts 30 days. */
export function durationMs(text: string): number {
  const [, count = "0", unit = "s"] = /^(\d+)(\D+)$/.exec(text) ?? [];
  return Number(count) * (unitMs[unit] ?? 0);
}

/**
 * When something that lasts so long from now ends.
 * @throws GatewayError `invalid_request` for what lasts longer than a century
 */
export function endOf(duration: string, nowMs: number): number {
  const lengthMs = durationMs(duration);
  if (lengthMs <= longestLifeMs) return nowMs + lengthMs;
  const message = `duration is ${duration}: expected at most ${longestLifeMs / dayMs}d. Leave it out for no end.`;
  throw new GatewayError("invalid_request", message, { param: "duration" });
}

/** @throws GatewayError `invalid_request` for windows that budgets cannot have */
export function budgetWindow(duration: string | null | undefined): BudgetWindow {
  if (duration === null || duration === undefined) return { kind: "rolling", lengthMs: longestMs };
  if (duration === "1mo") return { kind: "calendar", unit: "month", timeZone: "UTC" };
  const lengthMs = durationMs(duration);
  if (lengthMs < hourMs || lengthMs > longestMs) {
    const message = `budget_duration is ${duration}: expected an hour to 366 days.`;
    throw new GatewayError("invalid_request", message, { param: "budget_duration" });
  }
  return { kind: "rolling", lengthMs };
}

/** A window in the same words; null for one that stands for no end. */
export function durationOf(window: BudgetWindow): string | null {
  if (window.kind === "calendar")
    return window.unit === "month" ? "1mo" : { hour: "1h", day: "1d", week: "7d" }[window.unit];
  if (window.lengthMs === longestMs) return null;
  return window.lengthMs % dayMs === 0 ? `${window.lengthMs / dayMs}d` : `${Math.round(window.lengthMs / hourMs)}h`;
}
