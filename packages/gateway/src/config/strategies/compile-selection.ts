import type { OrderName } from "@fairlead/contract/routing-names";
import type { SelectionConfig } from "@fairlead/contract/strategy-schema";
import type { Deployment } from "../../core/deployment.ts";
import type { Selection } from "../../core/strategy.ts";
import { nearNames } from "../../lib/near-names.ts";
import type { ConfigPath, Fault } from "../config-error.ts";
import { compileCondition } from "./compile-condition.ts";
import type { ConditionScope } from "./condition-scope.ts";
import type { FindTargets } from "./target-lists.ts";

/** What the selections of one strategy are compiled with. */
export interface SelectionContext {
  readonly deployments: readonly Deployment[];
  readonly find: FindTargets;
  /** With `target`. */
  readonly scope: ConditionScope;
  readonly faults: Fault[];
}

/** How strictly a selection is judged that selects nothing: `rule` as what a rule prefers, `no` not at all. */
export type EmptyCheck = "rule" | "fallback" | "no";

/** A selection, and whether it takes every one of its targets whatever the request. */
export interface CompiledSelection {
  readonly selection: Selection;
  readonly sure: boolean;
}

function ordersOf(order: SelectionConfig["order"]): readonly OrderName[] {
  const orders = [order].flat();
  return orders.length === 1 && orders[0] === "listed" ? [] : [...new Set(orders)];
}

function emptyTags(
  tags: readonly string[],
  among: readonly Deployment[],
  all: readonly Deployment[],
  at: ConfigPath,
): readonly Fault[] {
  const known = [...new Set(all.flatMap((deployment) => deployment.tags))];
  const expected = known.length === 0 ? "tags that some model has" : `tags that some model has: ${known.join(", ")}`;
  const unknown = tags.flatMap((tag, i): Fault[] => {
    if (known.includes(tag)) return [];
    const what = `nobody has the tag ${JSON.stringify(tag)}`;
    return [{ at: [...at, "tags", i], what, expected, suggestion: nearNames(tag, known)[0] }];
  });
  if (unknown.length > 0) return unknown;
  const what = among.length === 0 ? "is asked of no target" : `none of the ${among.length} targets has all of them`;
  return [{ at: [...at, "tags"], what, expected }];
}

/** Says why a selection can never select anything; nothing when it can. */
function emptyFaults(
  { targets, placement, tags = [] }: SelectionConfig,
  found: readonly Deployment[],
  { deployments }: SelectionContext,
  at: ConfigPath,
  check: EmptyCheck,
): readonly Fault[] {
  if (targets !== undefined && found.length === 0) {
    return [{ at: [...at, "targets"], what: "finds no deployment", expected: "at least one target that exists" }];
  }
  const placed = found.filter(({ upstream }) => placement === undefined || upstream.placement === placement);
  if (placement !== undefined && placed.length === 0) {
    const what = targets === undefined ? `no deployment is ${placement}` : `none of these targets is ${placement}`;
    if (targets === undefined && check === "fallback") return [];
    return [{ at: [...at, "placement"], what, expected: "a placement that some target has" }];
  }
  const selected = placed.some((deployment) => tags.every((tag) => deployment.tags.includes(tag)));
  return selected || tags.length === 0 ? [] : emptyTags(tags, placed, deployments, at);
}

/** Resolves one selection of a rule; what can never select anything is a fault, as far as `check` says. */
export function compileSelection(
  config: SelectionConfig,
  at: ConfigPath,
  context: SelectionContext,
  check: EmptyCheck,
): CompiledSelection {
  const { targets, placement, tags = [], where, order, balance, limit, weights } = config;
  const before = context.faults.length;
  const found = targets === undefined ? context.deployments : context.find(targets, [...at, "targets"]);
  // Where nothing is configured yet, upstreams are added later.
  if (check !== "no" && context.deployments.length > 0 && context.faults.length === before) {
    context.faults.push(...emptyFaults(config, found, context, at, check));
  }
  if (weights !== undefined && weights.cost + weights.latency + weights.quality === 0) {
    context.faults.push({ at: [...at, "weights"], what: "are all 0", expected: "one that is more than 0" });
  }
  const condition =
    where === undefined ? undefined : compileCondition(where, [...at, "where"], context.scope, context.faults);
  const selected = found.filter(
    (deployment) =>
      (placement === undefined || deployment.upstream.placement === placement) &&
      tags.every((tag) => deployment.tags.includes(tag)),
  );
  const always = where === undefined || condition?.always === true;
  return {
    selection: {
      targets: selected,
      where: always ? undefined : condition?.test,
      order: ordersOf(order),
      balance,
      limit,
      weights,
    },
    sure: always && selected.length > 0,
  };
}
