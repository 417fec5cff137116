import type { TargetView } from "../target-view.ts";
import { groupBy, type Order } from "./order.ts";

/** Costs that differ by less are one cost: predictions are not better than that. */
const sameCost = 1.01;

/**
 * Least expected cost of this request first. Self-hosted targets without a price come before all: their hour is paid for
 * anyway. Cloud targets without a price come last: they may cost anything.
 */
export const cheapest: Order = (views) => groupBy(views, costOf, (cost, best) => cost <= best * sameCost);

function costOf(view: TargetView): number {
  if (view.priced) return view.costUsd;
  return view.placement === "local" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
