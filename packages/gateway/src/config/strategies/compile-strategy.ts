import type { ControlConfig, RuleConfig, SelectionConfig, StrategyConfig } from "@fairlead/contract/strategy-schema";
import type { ShareTarget, Strategy, StrategyRule } from "../../core/strategy.ts";
import type { ConfigPath, Fault } from "../config-error.ts";
import { type CompiledCondition, compileCondition } from "./compile-condition.ts";
import {
  type CompiledSelection,
  compileSelection,
  type EmptyCheck,
  type SelectionContext,
} from "./compile-selection.ts";
import { type ConditionScope, conditionScope } from "./condition-scope.ts";
import { type JudgedRule, lintRules } from "./lint-rules.ts";
import { type FindTargets, findIn, type TargetLists } from "./target-lists.ts";

/** What strategies are compiled with. */
export interface StrategyContext {
  readonly lists: TargetLists;
  /** Finds what is none of the lists. */
  readonly names: FindTargets;
  readonly faults: Fault[];
  /** Rules that are written for any catalogue: that they select nothing in this one is no mistake. */
  readonly isGeneric: (rule: RuleConfig) => boolean;
}

/** What a strategy is made of. */
export interface StrategyParts {
  readonly name: string;
  readonly config: StrategyConfig & { readonly rules: readonly RuleConfig[] };
  readonly at: ConfigPath;
  /** Writes the text of its rules; called when somebody asks for it. */
  readonly source: () => string;
  readonly origin: Strategy["origin"];
}

interface RuleContext {
  readonly selections: SelectionContext;
  /** Without `target`. */
  readonly scope: ConditionScope;
  readonly generic: boolean;
}

interface CompiledRule {
  readonly rule: StrategyRule;
  readonly condition: CompiledCondition | undefined;
  readonly preferred: readonly CompiledSelection[];
}

function shareTarget(control: ControlConfig | undefined): ShareTarget | undefined {
  if (control === undefined) return undefined;
  return "cloudShare" in control
    ? { kind: "cloud-share", share: control.cloudShare }
    : { kind: "dollars-per-day", dollars: control.dollarsPerDay };
}

function compileSelections(
  config: SelectionConfig | readonly SelectionConfig[],
  at: ConfigPath,
  context: SelectionContext,
  check: EmptyCheck,
): readonly CompiledSelection[] {
  if (!isList(config)) return [compileSelection(config, at, context, check)];
  return config.map((selection, i) => compileSelection(selection, [...at, i], context, check));
}

function isList(config: SelectionConfig | readonly SelectionConfig[]): config is readonly SelectionConfig[] {
  return Array.isArray(config);
}

/** A promise that none of the preferred targets can keep. */
function checkConfinement(rule: StrategyRule, at: ConfigPath, faults: Fault[]): void {
  const targets = rule.prefer.flatMap((selection) => selection.targets);
  if (rule.confinedTo === undefined || targets.length === 0) return;
  if (targets.some(({ upstream }) => upstream.placement === rule.confinedTo)) return;
  const what = `none of the preferred targets is ${rule.confinedTo}`;
  faults.push({ at: [...at, "confinedTo"], what, expected: "the placement of a preferred target" });
}

function compileRule(config: RuleConfig, at: ConfigPath, { selections, scope, generic }: RuleContext): CompiledRule {
  const { faults } = selections;
  const condition =
    config.when === undefined ? undefined : compileCondition(config.when, [...at, "when"], scope, faults);
  const preferred = compileSelections(config.prefer, [...at, "prefer"], selections, generic ? "no" : "rule");
  const fallback =
    config.fallback === undefined
      ? undefined
      : compileSelections(config.fallback, [...at, "fallback"], selections, generic ? "no" : "fallback");
  const rule: StrategyRule = {
    name: config.name,
    reason: config.reason,
    when: condition?.always === true ? undefined : condition?.test,
    prefer: preferred.map(({ selection }) => selection),
    fallback: fallback?.map(({ selection }) => selection),
    confinedTo: config.confinedTo,
  };
  if (!generic) checkConfinement(rule, at, faults);
  return { rule, condition, preferred };
}

function judge({ rule, condition, preferred }: CompiledRule, config: RuleConfig, generic: boolean): JudgedRule {
  const targetsOf = (selections: readonly CompiledSelection[]) =>
    selections.flatMap(({ selection }) => selection.targets);
  return {
    name: rule.name,
    // A condition that could not be compiled is told already, and nothing follows from it.
    when: config.when === undefined || condition?.always === true ? "always" : (condition?.text ?? "unknown"),
    sure: new Set(targetsOf(preferred.filter(({ sure }) => sure))),
    possible: targetsOf(preferred),
    prefer: JSON.stringify(config.prefer),
    generic,
  };
}

/** Compiles a strategy's rules; every mistake in them is noted. */
export function compileStrategy(
  { name, config, at, source, origin }: StrategyParts,
  { lists, names, faults, isGeneric }: StrategyContext,
): Strategy {
  const scope = conditionScope(config.settings, false);
  const { deployments } = lists;
  const selections: SelectionContext = {
    deployments,
    find: findIn(lists, names),
    scope: conditionScope(config.settings, true),
    faults,
  };
  const ofRule = (rule: RuleConfig): boolean => origin === "built-in" || isGeneric(rule);
  const compiled = config.rules.map((rule, i) =>
    compileRule(rule, [...at, "rules", i], { selections, scope, generic: ofRule(rule) }),
  );
  const judged = compiled.map((rule, i) => {
    const written = config.rules[i] as RuleConfig;
    return judge(rule, written, ofRule(written));
  });
  faults.push(...lintRules(judged, [...at, "rules"]));
  return {
    name,
    description: config.description ?? "",
    settings: config.settings,
    rules: compiled.map(({ rule }) => rule),
    control: shareTarget(config.control),
    get source() {
      return source();
    },
    origin,
  };
}
