import type { OrderWeights } from "../../core/strategy.ts";
import type { TargetView } from "../target-view.ts";

/** Splits targets into groups of equals, best first; within a group they keep their order. Never loses one. */
export type Order = (views: readonly TargetView[], weights: OrderWeights) => readonly (readonly TargetView[])[];

/**
 * Sorts by a figure, least first, and puts into one group what `isEqual` to the group's best. Infinite figures are equal to
 * each other.
 */
export function groupBy(
  views: readonly TargetView[],
  figureOf: (view: TargetView) => number,
  isEqual: (figure: number, best: number) => boolean,
): readonly (readonly TargetView[])[] {
  const ranked = views.map((view) => ({ view, figure: figureOf(view) })).sort((a, b) => compare(a.figure, b.figure));
  const groups: TargetView[][] = [];
  let best = Number.NaN;
  for (const { view, figure } of ranked) {
    const group = groups.at(-1);
    if (group !== undefined && (figure === best || isEqual(figure, best))) {
      group.push(view);
    } else {
      groups.push([view]);
      best = figure;
    }
  }
  return groups;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
