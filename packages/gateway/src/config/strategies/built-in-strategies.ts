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

/** A built-in strategy whose rules are compiled when somebody first asks for them, which takes about a millisecond. */
function lazyStrategy({ name, config, text }: BuiltIn, lists: TargetLists): Strategy {
  let rules: Strategy["rules"] | undefined;
  const compile = (): Strategy["rules"] => {
    const names = findPlacements(lists);
    const faults: Fault[] = [];
    const context = { lists, names, faults, isGeneric: isBuiltInRule };
    const parts = { name, config, at: ["strategies", name], source: () => text, origin: "built-in" } as const;
    const compiled = compileStrategy(parts, context);
    if (faults.length > 0) throw new Error(`the built-in strategy ${name} is wrong: ${JSON.stringify(faults)}`);
    return compiled.rules;
  };
  return {
    name,
    description: config.description ?? "",
    settings: config.settings,
    control: undefined,
    source: text,
    origin: "built-in",
    get rules() {
      rules ??= compile();
      return rules;
    },
  };
}

/**
 * Makes the built-in strategies for a catalogue; needs no config file. Their rules are compiled when first read.
 * @throws Error with every mistake in a rule file, when its rules are first read
 */
export function builtInStrategies(lists: TargetLists): ReadonlyMap<StrategyName, Strategy> {
  return new Map([...builtInFiles()].map(([name, file]) => [name, lazyStrategy(file, lists)]));
}
