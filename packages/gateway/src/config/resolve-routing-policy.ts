import type { FairleadConfig } from "@fairlead/contract/config-schema";
import type { ConditionConfig } from "@fairlead/contract/strategy-schema";
import type { Catalogue, Experiment, ResidencyRule, Shadow } from "../core/gateway-model.ts";
import type { Condition } from "../core/strategy.ts";
import { nearNames } from "../lib/near-names.ts";
import { type ConfigPath, formatPath } from "./config-error.ts";
import type { DeploymentIndex } from "./deployment-index.ts";
import type { Resolution } from "./resolution.ts";
import type { NameResolver } from "./resolve-names.ts";
import { canonicalStrategy } from "./strategies/canonical-strategy.ts";
import { compileCondition } from "./strategies/compile-condition.ts";
import { type ConditionScope, conditionScope } from "./strategies/condition-scope.ts";
import { checkStrategyName, resolveStrategies } from "./strategies/resolve-strategies.ts";

type RoutingPolicy = Pick<
  Catalogue,
  "strategies" | "defaultStrategy" | "balance" | "spill" | "nearRegions" | "residency" | "experiments" | "shadows"
>;

/** What the parts of the policy are resolved with. */
interface PolicyContext {
  readonly config: FairleadConfig;
  readonly names: NameResolver;
  readonly index: DeploymentIndex;
  readonly notes: Resolution;
  readonly strategies: Catalogue["strategies"];
  /** Of conditions about a request alone. */
  readonly scope: () => ConditionScope;
}

function conditionAt(
  when: ConditionConfig | undefined,
  at: ConfigPath,
  { scope, notes }: PolicyContext,
  protects = false,
): Condition | undefined {
  return when === undefined
    ? undefined
    : compileCondition(when, [...at, "when"], scope(), notes.faults, protects)?.test;
}

function checkUnique(named: readonly { readonly name: string }[], at: ConfigPath, notes: Resolution): void {
  for (const [i, { name }] of named.entries()) {
    const first = named.findIndex((other) => other.name === name);
    if (first === i) continue;
    const what = `${JSON.stringify(name)} is also the name of entry ${first + 1}`;
    notes.faults.push({ at: [...at, i, "name"], what, expected: "a name of its own" });
  }
}

function resolveResidency(context: PolicyContext): readonly ResidencyRule[] {
  const { config, index, notes } = context;
  const { residency } = config.routing;
  const at = ["routing", "residency"];
  checkUnique(residency, at, notes);
  const known = [...new Set(index.all.flatMap(({ upstream }) => upstream.region ?? []))];
  return residency.map(({ name, when, placement, regions }, i) => {
    // Refusing everything is what such a rule promises, so it is no fault; but hardly meant.
    if (regions !== undefined && !regions.some((region) => known.includes(region))) {
      const near = nearNames(regions[0] ?? "", known)[0];
      const hint = near === undefined ? "" : `; did you mean \`${near}\`?`;
      notes.warnings.push(
        `${formatPath([...at, i, "regions"])}: no upstream is in any of them, so such requests are refused${hint}`,
      );
    }
    return { name, when: conditionAt(when, [...at, i], context, true), placement, regions };
  });
}

function resolveExperiments(context: PolicyContext): readonly Experiment[] {
  const { config, names, notes, strategies } = context;
  const { experiments } = config.routing;
  checkUnique(experiments, ["routing", "experiments"], notes);
  return experiments.map(({ name, when, models, sticky, arms }, i) => {
    const at = ["routing", "experiments", i];
    for (const [j, model] of models.entries()) if (model !== "auto") names.find(model, [...at, "models", j]);
    checkUnique(arms, [...at, "arms"], notes);
    return {
      name,
      when: conditionAt(when, at, context),
      models,
      sticky,
      arms: arms.map((arm, j) => {
        const { strategy, targets } = arm;
        if (strategy !== undefined) checkStrategyName(strategy, strategies, [...at, "arms", j, "strategy"], notes);
        return {
          name: arm.name,
          weight: arm.weight,
          targets: targets && names.chain(targets, [...at, "arms", j, "targets"], false),
          strategy: strategy && canonicalStrategy(strategy),
        };
      }),
    };
  });
}

function resolveShadows(context: PolicyContext): readonly Shadow[] {
  const { config, names, notes } = context;
  const { shadows } = config.routing;
  checkUnique(shadows, ["routing", "shadows"], notes);
  return shadows.flatMap(({ name, when, target, sample, maxConcurrent, maxUsdPerDay }, i): Shadow[] => {
    const at = ["routing", "shadows", i];
    const condition = conditionAt(when, at, context);
    const before = notes.faults.length;
    const found = names.find(target, [...at, "target"]);
    const [only] = found;
    if (only !== undefined && found.length === 1) {
      return [{ name, when: condition, target: only, sample, maxConcurrent, maxUsdPerDay }];
    }
    if (notes.faults.length === before) {
      const what = `${JSON.stringify(target)} means ${found.length} deployments`;
      notes.faults.push({
        at: [...at, "target"],
        what,
        expected: "one, as `<upstream>/<model>`",
        suggestion: only?.id,
      });
    }
    return [];
  });
}

/** Resolves strategies, residency, experiments and shadows; notes every problem. */
export function resolveRoutingPolicy(
  config: FairleadConfig,
  names: NameResolver,
  index: DeploymentIndex,
  notes: Resolution,
): RoutingPolicy {
  const { strategy, balance, spill, nearRegions } = config.routing;
  const strategies = resolveStrategies(config, names, index, notes);
  checkStrategyName(strategy, strategies, ["routing", "strategy"], notes);
  for (const [model, route] of Object.entries(config.models)) {
    if (route.strategy !== undefined) {
      checkStrategyName(route.strategy, strategies, ["models", model, "strategy"], notes);
    }
  }
  let scope: ConditionScope | undefined;
  const context: PolicyContext = {
    config,
    names,
    index,
    notes,
    strategies,
    scope() {
      scope ??= conditionScope(undefined, false);
      return scope;
    },
  };
  return {
    strategies,
    defaultStrategy: canonicalStrategy(strategy),
    balance,
    spill: spill === false ? undefined : { maxTtftMs: spill.maxTtftMs, maxUsdPerHour: spill.maxUsdPerHour },
    nearRegions: new Map(Object.entries(nearRegions)),
    residency: resolveResidency(context),
    experiments: resolveExperiments(context),
    shadows: resolveShadows(context),
  };
}
