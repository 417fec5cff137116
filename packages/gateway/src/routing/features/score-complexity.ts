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

/** What is decided by is what is shown and kept: four digits, so that a decision made again from its record is the same. */
const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

/** Sums the table of weights; the signals' parts are what each added before the sum was bounded. */
export function scoreComplexity(request: ScoredRequest): { complexity: number; signals: readonly Signal[] } {
  let sum = baseComplexity;
  parts.fill(0);
  for (let row = 0; row < complexityWeights.length; row++) {
    const { weight, value } = complexityWeights[row]!;
    const part = weight * value(request);
    sum += part;
    parts[placeOf[row]!]! += part;
  }
  const signals: Signal[] = [];
  for (let place = 0; place < names.length; place++) {
    const weight = parts[place]!;
    if (Math.abs(weight) >= smallestPart) signals.push({ name: names[place]!, weight: rounded(weight) });
  }
  return { complexity: rounded(bounded(sum)), signals };
}

/** Each signal once, in the order of the table, and the place of each row's signal among them. */
const names: readonly SignalName[] = [...new Set(complexityWeights.map(({ signal }) => signal))];
const placeOf = Int32Array.from(complexityWeights, ({ signal }) => names.indexOf(signal));
const parts = new Float64Array(names.length);
