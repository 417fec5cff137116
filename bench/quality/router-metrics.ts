import { seededRandom } from "./seeded-random.ts";

/** What a weak and a strong model scored on the same prompts, in their order. */
export interface ModelPair {
  readonly weak: Float64Array;
  readonly strong: Float64Array;
}

/** A share of strong calls and the mean score of the answers then. */
export interface CurvePoint {
  readonly share: number;
  readonly score: number;
}

const deciles = 10;
export const tieSeeds = 10;

/** Places of the scores from the lowest to the highest; equal ones in an order drawn by the seed. */
export function rankByScore(scores: Float64Array, seed: number): Int32Array {
  const random = seededRandom(seed);
  const ties = Float64Array.from(scores, () => random());
  const order = Int32Array.from(scores, (_, index) => index);
  return order.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || (ties[a] ?? 0) - (ties[b] ?? 0));
}

/**
 * The curve of RouteLLM's evaluation: eleven thresholds at the deciles of the router's own scores, from no strong call to
 * only such. `counts` tells how often each prompt was drawn in a bootstrap; without it each counts once.
 */
export function routingCurve(order: Int32Array, pair: ModelPair, counts?: Uint8Array): CurvePoint[] {
  let total = 0;
  let allStrong = 0;
  for (const index of order) {
    const times = counts?.[index] ?? 1;
    total += times;
    allStrong += times * (pair.strong[index] ?? 0);
  }
  const points: CurvePoint[] = [];
  let routed = allStrong;
  let toWeak = 0;
  let decile = 0;
  const mark = (): void => {
    while (decile <= deciles && toWeak >= Math.round((total * decile) / deciles)) {
      points.push({ share: 1 - toWeak / total, score: routed / total });
      decile++;
    }
  };
  mark();
  for (const index of order) {
    for (let times = counts?.[index] ?? 1; times > 0; times--) {
      routed += (pair.weak[index] ?? 0) - (pair.strong[index] ?? 0);
      toWeak++;
      mark();
    }
  }
  return points.reverse();
}

/** Average performance gap recovered: 0.5 is what a random router has, more is better; an oracle may pass 1. */
export function apgrOf(curve: readonly CurvePoint[]): number {
  const weak = curve[0]?.score ?? 0;
  const strong = curve.at(-1)?.score ?? 0;
  let area = 0;
  for (let index = 1; index < curve.length; index++) {
    const [left, right] = [curve[index - 1], curve[index]];
    if (left === undefined || right === undefined) continue;
    area += (right.share - left.share) * ((left.score + right.score) / 2);
  }
  return (area - weak) / (strong - weak);
}

/** The least share of strong calls, 0 to 1, at which a part of the gap is recovered; 1 where it never is before. */
export function callShareFor(curve: readonly CurvePoint[], part: number): number {
  const weak = curve[0]?.score ?? 0;
  const wanted = weak + part * ((curve.at(-1)?.score ?? 0) - weak);
  for (let index = 1; index < curve.length; index++) {
    const [left, right] = [curve[index - 1], curve[index]];
    if (left === undefined || right === undefined || right.score < wanted) continue;
    const rise = right.score - left.score;
    return rise <= 0 ? left.share : left.share + ((wanted - left.score) / rise) * (right.share - left.share);
  }
  return 1;
}

export interface RouterQuality {
  readonly apgr: number;
  /** Of the 95 % interval, by bootstrap over prompts. */
  readonly low: number;
  readonly high: number;
  readonly cpt50: number;
  readonly cpt80: number;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Draws as many prompts as there are, with replacement. */
function drawCounts(size: number, random: () => number): Uint8Array {
  const counts = new Uint8Array(size);
  for (let draw = 0; draw < size; draw++) {
    const at = Math.floor(random() * size);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

/** Measures a router's scores against pairs of models; all figures are means over the pairs and over ten orders of ties. */
export function routerQuality(scores: Float64Array, pairs: readonly ModelPair[], resamples: number): RouterQuality {
  const orders = Array.from({ length: tieSeeds }, (_, seed) => rankByScore(scores, seed + 1));
  const curves = orders.flatMap((order) => pairs.map((pair) => routingCurve(order, pair)));
  const random = seededRandom(99);
  const drawn = Array.from({ length: resamples }, (_, sample) => {
    const counts = drawCounts(scores.length, random);
    const order = orders[sample % tieSeeds] ?? new Int32Array();
    return mean(pairs.map((pair) => apgrOf(routingCurve(order, pair, counts))));
  }).sort((a, b) => a - b);
  return {
    apgr: mean(curves.map(apgrOf)),
    low: drawn[Math.floor(resamples * 0.025)] ?? Number.NaN,
    high: drawn[Math.ceil(resamples * 0.975) - 1] ?? Number.NaN,
    cpt50: mean(curves.map((curve) => callShareFor(curve, 0.5))),
    cpt80: mean(curves.map((curve) => callShareFor(curve, 0.8))),
  };
}
