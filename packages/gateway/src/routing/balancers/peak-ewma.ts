import type { TargetView } from "../target-view.ts";
import { type Balancer, shuffled } from "./balancer.ts";

/** Predictions this close to each other are equal, and the less occupied target wins. */
const sameShare = 1.1;
const sameMs = 20;

type Measure = (view: TargetView) => number;

/**
 * The better of two random targets by predicted time to the first token; one that has the conversation in its cache is always
 * compared too, for chance must not lose a warm cache. A target that was never asked comes first, once. The others follow, best
 * first; errors count as time. Where no first tokens are known (only whole answers), time to the end stands in, and what runs there.
 */
export const peakEwma: Balancer = (group, ask) => {
  if (group.length < 2) return group;
  const mixed = shuffled(group, ask);
  const withoutErrors = measureFor(group);
  // A replica that fails fast looks idle; asking it costs what asking again costs.
  const measure: Measure = (view) => withoutErrors(view) / (1 - view.errorRate);
  const compared = mixed.filter((view, at) => at < 2 || view.warmTokens > 0 || view.untried);
  const first = compared.reduce((best, view) => (isBetter(view, best, measure) ? view : best));
  return [first, ...mixed.filter((view) => view !== first).sort((a, b) => measure(a) - measure(b))];
};

function measureFor(group: readonly TargetView[]): Measure {
  if (group.every((view) => view.untried || (view.sawFirstTokens && view.knownTtftMs !== undefined))) {
    return (view) => view.ttftMs;
  }
  if (group.every((view) => view.untried || view.knownLatencyMs !== undefined)) {
    // Where slots are known, the wait for one is in it already.
    return (view) => (view.knownLatencyMs ?? 0) * (view.slots === undefined ? 1 + view.inFlight : 1);
  }
  return (view) => view.inFlight;
}

function isBetter(a: TargetView, b: TargetView, measure: Measure): boolean {
  if (a.untried !== b.untried) return a.untried;
  const [left, right] = [measure(a), measure(b)];
  const [less, more] = left < right ? [left, right] : [right, left];
  if (more > Math.max(less * sameShare, less + sameMs)) return left < right;
  return a.occupancy < b.occupancy;
}
