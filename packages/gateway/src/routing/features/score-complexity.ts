import type { SignalName } from "@fairlead/contract/routing-names";
import type { Signal } from "../../core/decision.ts";
import { baseComplexity, complexityWeights, type ScoredRequest } from "./complexity-weights.ts";

/** A part smaller than this is not worth naming. */
const smallestPart = 0.004;

/** Between these the score is the plain sum; beyond them it approaches 0 and 1 without ever getting there. */
const lowest = 0.05;
const highest = 0.9;

/** Bounds a sum without making different ones equal: thresholds on shares need an order to the very ends. */
function bounded(sum: number): number {
  if (sum > highest) return 1 - (1 - highest) * Math.exp(-(sum - highest) / (1 - highest));
  if (sum < lowest) return lowest * Math.exp((sum - lowest) / lowest);
  return sum;
}

/** Sums the table of weights; the signals' parts are what each added before the sum was bounded. */
export function scoreComplexity(request: ScoredRequest): { complexity: number; signals: readonly Signal[] } {
  let sum = baseComplexity;
  const signals: { name: SignalName; weight: number }[] = [];
  for (const { signal, weight, value } of complexityWeights) {
    const part = weight * value(request);
    if (part === 0) continue;
    sum += part;
    const known = signals.find(({ name }) => name === signal);
    if (known === undefined) signals.push({ name: signal, weight: part });
    else known.weight += part;
  }
  return { complexity: bounded(sum), signals: signals.filter(({ weight }) => Math.abs(weight) >= smallestPart) };
}
