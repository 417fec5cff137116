import type { TargetView } from "../target-view.ts";
import { groupBy, type Order } from "./order.ts";

/** First tokens that are predicted to come within a tenth, or so close to each other, come at one time. */
const sameShare = 1.1;
const sameMs = 20;

/** Above any wait, so that targets of which only whole answers are known stand behind those that showed first tokens. */
const behindMs = 1e12;

/**
 * Least predicted time to the first token first. A target that was never asked comes first, once, or it would never be known; after
 * that, those of which no first token is known follow the others, by their time to the end.
 */
export const fastest: Order = (views) =>
  groupBy(views, rankMs, (rank, best) => {
    const offset = best >= behindMs ? behindMs : 0;
    return rank - offset <= Math.max((best - offset) * sameShare, best - offset + sameMs);
  });

function rankMs(view: TargetView): number {
  if (view.untried) return Number.NEGATIVE_INFINITY;
  const known = view.knownTtftMs;
  if (known !== undefined && view.sawFirstTokens) return known;
  const endMs = view.knownLatencyMs;
  return endMs === undefined ? Number.POSITIVE_INFINITY : behindMs + endMs;
}
