import { readFileSync } from "node:fs";
import {
  type BuiltInStrategy,
  builtInStrategies as builtInNames,
  type StrategyName,
} from "@fairlead/contract/routing-names";
import { type RuleConfig, type StrategyConfig, strategySchema } from "@fairlead/contract/strategy-schema";
import type { Strategy } from "../../core/strategy.ts";
import type { Fault } from "../config-error.ts";
import { compileStrategy } from "./compile-strategy.ts";
import { findPlacements, type TargetLists } from "./target-lists.ts";

/** A strategy that ships with the gateway, as its file spells it. */
export interface BuiltIn {
  readonly name: BuiltInStrategy;
  readonly config: StrategyConfig & { readonly rules: readonly RuleConfig[] };
  /** The file's text: what may stand under `strategies`. */
  readonly text: string;
}

function read(name: BuiltInStrategy): BuiltIn {
  const text = readFileSync(new URL(`./built-in/${name}.yaml`, import.meta.url), "utf8");
  // The runtime's own parser reads all files in half a millisecond; every start waits for it.
  const config = strategySchema.parse((Bun.YAML.parse(text) as Record<string, unknown>)[name]);
  const { rules } = config;
  if (rules === undefined) throw new Error(`the built-in strategy ${name} has no rules`);
  return { name, config: { ...config, rules }, text };
}

let files: ReadonlyMap<StrategyName, BuiltIn> | undefined;
let genericRules: ReadonlySet<string> | undefined;

/** The rule files that ship with the gateway, in the order of the docs. Read once. */
export function builtInFiles(): ReadonlyMap<StrategyName, BuiltIn> {
  files ??= new Map(builtInNames.map((name) => [name, read(name)]));
  return files;
}

/** Tells whether a rule is one of a built-in strategy, word for word: those are written for any catalogue. */
export function isBuiltInRule(rule: RuleConfig): boolean {
  genericRules ??= new Set(
    [...builtInFiles().values()].flatMap(({ config }) => config.rules.map((r) => JSON.stringify(r))),
  );
  return genericRules.has(JSON.stringify(rule));
}

/**
 * Compiles the built-in strategies for a catalogue that needs no config file.
 * @throws Error with every mistake in the rule files
 */
export function builtInStrategies(lists: TargetLists): ReadonlyMap<StrategyName, Strategy> {
  const context = {
    lists,
    names: findPlacements(lists),
    faults: [] as Fault[],
    isGeneric: isBuiltInRule,
    restricted: new Set<string>(),
  };
  const compiled = [...builtInFiles().values()].map(({ name, config, text }) =>
    compileStrategy({ name, config, at: ["strategies", name], source: () => text, origin: "built-in" }, context),
  );
  if (context.faults.length > 0) throw new Error(`built-in strategies are wrong: ${JSON.stringify(context.faults)}`);
  return new Map(compiled.map((strategy) => [strategy.name, strategy]));
}
