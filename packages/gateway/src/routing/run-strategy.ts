import type { Deployment } from "../core/deployment.ts";
import type { Condition, Selection, Strategy, StrategyRule } from "../core/strategy.ts";
import type { Facts } from "./facts.ts";
import type { TargetView } from "./target-view.ts";

/** The deployments of a selection that the request may go to at all, in the config's order, before any is compared. */
export interface Selected {
  readonly selection: Selection;
  readonly targets: readonly Deployment[];
}

/** The rule that decides, and what it selects. */
export interface RuleChoice {
  readonly rule: StrategyRule;
  readonly prefer: readonly Selected[];
  /** Undefined where the config's own chain holds. */
  readonly fallback: readonly Selected[] | undefined;
}

/**
 * Finds the first rule whose condition holds and that selects any of the deployments in `universe`. Undefined when none
 * does. Synchronous; a condition is evaluated once at most, a selection's once a target.
 */
export function runStrategy(
  strategy: Strategy,
  facts: Facts,
  universe: ReadonlySet<Deployment>,
  viewOf: (target: Deployment) => TargetView,
): RuleChoice | undefined {
  facts.settings = strategy.settings;
  const select = (selections: readonly Selection[]): Selected[] =>
    selections.map((selection) => ({ selection, targets: selectTargets(selection, facts, universe, viewOf) }));
  for (const rule of strategy.rules) {
    if (rule.when !== undefined && !rule.when(facts)) continue;
    const prefer = select(rule.prefer);
    if (prefer.every(({ targets }) => targets.length === 0)) continue;
    return { rule, prefer, fallback: rule.fallback && select(rule.fallback) };
  }
  return undefined;
}

function selectTargets(
  { targets, where }: Selection,
  facts: Facts,
  universe: ReadonlySet<Deployment>,
  viewOf: (target: Deployment) => TargetView,
): readonly Deployment[] {
  const among = targets.filter((target) => universe.has(target));
  return where === undefined ? among : among.filter((target) => holds(where, facts, viewOf(target)));
}

function holds(where: Condition, facts: Facts, view: TargetView): boolean {
  facts.target = view;
  const result = where(facts);
  delete facts.target;
  return result;
}
