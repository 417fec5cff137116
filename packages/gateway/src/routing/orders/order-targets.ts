import type { OrderName } from "@fairlead/contract/routing-names";
import type { OrderWeights } from "../../core/strategy.ts";
import type { TargetView } from "../target-view.ts";
import { cheapest } from "./cheapest.ts";
import { fastest } from "./fastest.ts";
import { listed } from "./listed.ts";
import { groupBy, type Order } from "./order.ts";

const isSame = (figure: number, best: number): boolean => figure - best < 1e-9;

/** Best weighted mean of cost, latency and quality, each 0 to 1, first. Means within a hundredth are equal. */
const balanced: Order = (views, { cost, latency, quality }) => {
  const sum = cost + latency + quality;
  return groupBy(
    views,
    (view) => -(cost * view.costWeight + latency * view.latencyWeight + quality * view.quality) / sum,
    (mean, best) => mean - best <= 0.01,
  );
};

/** Every order by name. A missing or surplus entry does not compile. */
const orders = {
  listed,
  cheapest,
  fastest,
  quality: (views) => groupBy(views, (view) => -view.quality, isSame),
  largest_window: (views) => groupBy(views, (view) => -view.contextWindow, isSame),
  balanced,
} as const satisfies Record<OrderName, Order>;

const evenWeights: OrderWeights = { cost: 1, latency: 1, quality: 1 };

/**
 * Orders targets into groups of equals, best first: the first order decides, each next one among equals. No order at all is
 * `listed`. An unknown window counts as none.
 */
export function orderTargets(
  views: readonly TargetView[],
  order: readonly OrderName[],
  weights: OrderWeights | undefined,
): readonly (readonly TargetView[])[] {
  let groups: readonly (readonly TargetView[])[] = [views];
  for (const name of order.length === 0 ? (["listed"] as const) : order) {
    groups = groups.flatMap((group) => (group.length < 2 ? [group] : orders[name](group, weights ?? evenWeights)));
  }
  return groups.filter((group) => group.length > 0);
}
