import type { StrategyName } from "@fairlead/contract/routing-names";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Catalogue, NamedTarget } from "../core/gateway-model.ts";
import type { Strategy } from "../core/strategy.ts";
import type { Ask } from "./ask.ts";
import { chooseArm } from "./choose-arm.ts";
import { type Facts, onPlacement } from "./facts.ts";
import { listed, type Preference, type Stage } from "./preference.ts";
import type { Asked } from "./resolve-name.ts";
import { resolveStrategy } from "./resolve-strategy.ts";
import { runStrategy, type Selected } from "./run-strategy.ts";
import type { TargetView } from "./target-view.ts";

/** What a preference is made from. */
export interface PreferDeps {
  readonly catalogue: Catalogue;
  readonly facts: Facts;
  /** The deployments that the request may go to at all. */
  readonly universe: ReadonlySet<Deployment>;
  readonly viewOf: (target: Deployment) => TargetView;
  readonly fraction: () => number;
}

/**
 * Turns a name, an experiment's arm or a strategy into what the request would have, strongest first.
 * @throws GatewayError `invalid_request` for an unknown strategy, or a cloud model under a strategy that stays local
 */
export function prefer(ask: Ask, asked: Asked, deps: PreferDeps): Preference {
  const { catalogue } = deps;
  const tried = preferArm(ask, asked, deps);
  if (tried !== undefined) return tried;
  const { named } = asked;
  if (named === undefined) {
    const preference = preferStrategy(ask.wish.strategy ?? catalogue.defaultStrategy, undefined, deps);
    return asked.unknown ? { ...preference, reason: "unknown_model" } : preference;
  }
  if (named.strategy !== undefined) return preferStrategy(ask.wish.strategy ?? named.strategy, named, deps);
  return keptLocal(preferNamed(named, catalogue), ask, asked, catalogue);
}

/** What an experiment tries; undefined where its arm has nothing for this request, which then takes no part. */
function preferArm(ask: Ask, asked: Asked, deps: PreferDeps): Preference | undefined {
  const { catalogue, facts, fraction, universe } = deps;
  const chosen = chooseArm(catalogue.experiments, ask, asked, facts, fraction);
  if (chosen === undefined) return undefined;
  const { arm, choice } = chosen;
  const preference =
    arm.targets === undefined
      ? preferStrategy(arm.strategy ?? catalogue.defaultStrategy, asked.named, deps)
      : { ...behindName(asked.named, catalogue), prefer: [listed(arm.targets, catalogue.balance)] };
  const { named } = asked;
  // Nobody who stays on the premises leaves them by way of an arm that is on them.
  const usual = ask.wish.strategy ?? (named === undefined ? catalogue.defaultStrategy : named.strategy);
  const isKept = usual !== undefined && staysLocal(resolveStrategy(usual, catalogue));
  const isHome = arm.targets !== undefined && onPlacement(arm.targets, "cloud").length === 0;
  const confinedTo = isKept && isHome ? "local" : preference.confinedTo;
  const may = (target: Deployment): boolean =>
    universe.has(target) && (confinedTo === undefined || target.upstream.placement === confinedTo);
  if (!preference.prefer.some(({ targets }) => targets.some(may))) return undefined;
  return { ...preference, confinedTo, reason: "experiment", experiment: choice };
}

/** What stands behind a name's own targets. A name with a chain of its own goes nowhere else. */
function behindName(named: NamedTarget | undefined, catalogue: Catalogue): Preference {
  const { balance, fallback } = catalogue;
  const chain = named?.fallback ?? fallback;
  const isCloud = named !== undefined && onPlacement(named.targets, "local").length === 0;
  return {
    reason: named?.reason ?? "strategy",
    prefer: [],
    // An explicit cloud model may only fall to other clouds (requirement B1).
    fallback: [listed(isCloud && named.fallback === undefined ? onPlacement(chain, "cloud") : chain, balance)],
    standIn: named?.fallback === undefined ? plainCloud(catalogue) : [],
    confinedTo: undefined,
  };
}

const known = new WeakMap<Catalogue, WeakMap<NamedTarget, Preference>>();

/** Made once for each name: nothing of a request is in it. */
function preferNamed(named: NamedTarget, catalogue: Catalogue): Preference {
  let byName = known.get(catalogue);
  if (byName === undefined) {
    byName = new WeakMap();
    known.set(catalogue, byName);
  }
  let preference = byName.get(named);
  if (preference === undefined) {
    preference = makeNamed(named, catalogue);
    byName.set(named, preference);
  }
  return preference;
}

function makeNamed(named: NamedTarget, catalogue: Catalogue): Preference {
  const { targets, balance } = named;
  const stage: Stage = balance === undefined ? listed(targets, catalogue.balance) : { targets, order: [], balance };
  return { ...behindName(named, catalogue), prefer: [stage] };
}

/** An explicit model beats a strategy, but never the promise to stay on the premises: the request's, its key's or the config's. */
function keptLocal(preference: Preference, { wish }: Ask, asked: Asked, catalogue: Catalogue): Preference {
  const strategy = wish.strategy ?? catalogue.defaultStrategy;
  if (!staysLocal(resolveStrategy(strategy, catalogue))) return preference;
  if (preference.prefer.every(({ targets }) => onPlacement(targets, "local").length === 0)) {
    throw new GatewayError(
      "invalid_request",
      `The model \`${asked.name}\` is served by cloud only, and the strategy \`${strategy}\` forbids cloud.`,
      { param: "model" },
    );
  }
  return { ...preference, confinedTo: "local" };
}

function staysLocal({ rules }: Strategy): boolean {
  return rules.every(({ confinedTo }) => confinedTo === "local");
}

/** The rule of a strategy that decides, over a route's own targets where it has some. */
function preferStrategy(name: StrategyName, named: NamedTarget | undefined, deps: PreferDeps): Preference {
  const { catalogue, facts, universe, viewOf } = deps;
  const strategy = resolveStrategy(name, catalogue);
  const own = named === undefined ? universe : new Set(named.targets.filter((target) => universe.has(target)));
  const choice = runStrategy(strategy, facts, own, viewOf);
  const base = { strategy, strategyName: strategy.name };
  if (choice === undefined) {
    // Kept on its placement although nothing is there: the error then says so.
    const confinedTo = staysLocal(strategy) ? "local" : strategy.rules.at(-1)?.confinedTo;
    return { ...base, reason: "strategy", prefer: [], fallback: [], standIn: [], confinedTo };
  }
  const { rule } = choice;
  const stages = (selected: readonly Selected[]): Stage[] =>
    selected.map(({ selection: { order, balance, weights, limit }, targets }) => ({
      targets,
      order: order.length === 0 ? ["listed"] : order,
      balance: balance ?? named?.balance ?? catalogue.balance,
      weights,
      limit,
    }));
  const usual = named?.fallback ?? catalogue.fallback;
  const hasUsual = choice.fallback === undefined;
  return {
    ...base,
    reason: named === undefined || rule.reason !== "strategy" ? rule.reason : named.reason,
    rule: rule.name,
    prefer: stages(choice.prefer),
    fallback: hasUsual ? [listed(usual, catalogue.balance)] : stages(choice.fallback),
    standIn: hasUsual && named?.fallback === undefined ? plainCloud(catalogue) : [],
    confinedTo: rule.confinedTo,
  };
}

/** The one cloud model used when nothing says otherwise: the first of `routing.autoCloud`. */
function plainCloud({ autoCloud }: Catalogue): readonly Deployment[] {
  return autoCloud.slice(0, 1);
}
