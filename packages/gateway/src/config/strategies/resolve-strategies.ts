import type { FairleadConfig } from "@fairlead/contract/config-schema";
import {
  builtInStrategies as builtInNames,
  type StrategyName,
  strategyAliases,
} from "@fairlead/contract/routing-names";
import type { RuleConfig, StrategyConfig } from "@fairlead/contract/strategy-schema";
import type { Deployment } from "../../core/deployment.ts";
import type { Strategy } from "../../core/strategy.ts";
import { nearNames } from "../../lib/near-names.ts";
import type { ConfigPath, Fault } from "../config-error.ts";
import { showValue } from "../config-source.ts";
import type { DeploymentIndex } from "../deployment-index.ts";
import type { Resolution } from "../resolution.ts";
import type { NameResolver } from "../resolve-names.ts";
import { type BuiltIn, builtInFiles, builtInStrategies, isBuiltInRule } from "./built-in-strategies.ts";
import { compileStrategy, type StrategyContext, type StrategyParts } from "./compile-strategy.ts";
import type { Settings } from "./condition-scope.ts";
import { listReferences } from "./target-lists.ts";
import { withSettings, writeStrategy } from "./write-strategy.ts";

function settingFaults(settings: Settings, builtIn: BuiltIn, at: ConfigPath): readonly Fault[] {
  const known = Object.keys(builtIn.config.settings);
  return Object.entries(settings).flatMap(([name, value]): Fault[] => {
    const usual = Object.hasOwn(builtIn.config.settings, name) ? builtIn.config.settings[name] : undefined;
    if (usual === undefined) {
      const what = `is no setting of \`${builtIn.name}\``;
      const expected = known.length === 0 ? "none, for it has no settings" : `one of ${known.join(", ")}`;
      return [{ at: [...at, name], what, expected, suggestion: nearNames(name, known)[0], aboutKey: true }];
    }
    if (typeof usual === typeof value) return [];
    return [{ at: [...at, name], what: `is of another kind than ${usual}`, expected: `a value like ${usual}` }];
  });
}

/** A built-in strategy with the config's description, settings and control laid over it. */
function laidOver(builtIn: BuiltIn, own: StrategyConfig, faults: Fault[]): StrategyParts {
  const at = ["strategies", builtIn.name];
  const mistakes = settingFaults(own.settings, builtIn, [...at, "settings"]);
  faults.push(...mistakes);
  const settings = mistakes.length > 0 ? {} : own.settings;
  const config = {
    ...builtIn.config,
    description: own.description ?? builtIn.config.description,
    settings: { ...builtIn.config.settings, ...settings },
    control: own.control ?? builtIn.config.control,
  };
  const source = (): string => withSettings(builtIn, { ...own, settings });
  return { name: builtIn.name, config, at, source, origin: "config" };
}

/** What budgets and keys rely on to keep requests on the premises. */
const keepsHome: StrategyName = "self_hosted_only";

function leavesHome({ confinedTo }: RuleConfig, at: ConfigPath): readonly Fault[] {
  if (confinedTo === "local") return [];
  const what = `may leave the premises, which \`${keepsHome}\` promises never to do`;
  return [{ at, what, expected: "`confinedTo: local` in every rule, or a strategy of another name" }];
}

function partsOf(name: StrategyName, own: StrategyConfig, faults: Fault[]): StrategyParts | undefined {
  const at = ["strategies", name];
  const wrong = (what: string, expected: string, suggestion?: string): undefined => {
    faults.push({ at, what, expected, suggestion, aboutKey: true });
    return undefined;
  };
  if (Object.hasOwn(strategyAliases, name)) {
    return wrong(
      `is another name of \`${strategyAliases[name]}\``,
      "that name, or one of its own",
      strategyAliases[name],
    );
  }
  if (own.rules !== undefined) {
    if (name === keepsHome) faults.push(...own.rules.flatMap((rule, i) => leavesHome(rule, [...at, "rules", i])));
    return { name, config: { ...own, rules: own.rules }, at, source: () => writeStrategy(name, own), origin: "config" };
  }
  const builtIn = builtInFiles().get(name);
  if (builtIn !== undefined) return laidOver(builtIn, own, faults);
  return wrong("has no rules", "`rules`, or the name of a built-in strategy", nearNames(name, builtInNames)[0]);
}

const knownLists = ["@local", "@cloud", ...Object.keys(listReferences)];

const isUnknownList = (reference: string): boolean => reference.startsWith("@") && !knownLists.includes(reference);

function unknownList(reference: string, at: ConfigPath, { faults, source }: Resolution): readonly Deployment[] {
  const what = `${showValue(source, at, reference)} is no list`;
  faults.push({
    at,
    what,
    expected: `one of ${knownLists.join(", ")}`,
    suggestion: nearNames(reference, knownLists)[0],
  });
  return [];
}

/** Compiles every strategy: the built-in ones, with the config's own in their place or laid over them, and then its others. */
export function resolveStrategies(
  config: FairleadConfig,
  names: NameResolver,
  index: DeploymentIndex,
  notes: Resolution,
): ReadonlyMap<StrategyName, Strategy> {
  const { routing, strategies } = config;
  // What these lists name wrongly is noted where they are resolved themselves.
  const list = (key: "autoCloud" | "longContext" | "fallback") => names.chain(routing[key], ["routing", key], true);
  const context: StrategyContext = {
    lists: {
      deployments: index.all,
      autoCloud: list("autoCloud"),
      longContext: list("longContext"),
      fallback: list("fallback"),
    },
    names: (references, at) =>
      references.flatMap((reference) =>
        isUnknownList(reference) ? unknownList(reference, at, notes) : names.find(reference, at),
      ),
    faults: notes.faults,
    isGeneric: isBuiltInRule,
  };
  const own = Object.entries(strategies).flatMap(([name, strategy]) => partsOf(name, strategy, notes.faults) ?? []);
  const compiled = own.map((parts) => [parts.name, compileStrategy(parts, context)] as const);
  return new Map([...builtInStrategies(context.lists), ...compiled]);
}

/** Notes a reference to a strategy that does not exist; aliases exist. */
export function checkStrategyName(
  name: StrategyName,
  known: ReadonlyMap<StrategyName, Strategy>,
  at: ConfigPath,
  notes: Resolution,
): void {
  if (known.has(name) || Object.hasOwn(strategyAliases, name)) return;
  const all = [...known.keys(), ...Object.keys(strategyAliases)];
  notes.faults.push({
    at,
    what: `${showValue(notes.source, at, name)} is no strategy`,
    expected: `one of ${[...known.keys()].join(", ")}`,
    suggestion: nearNames(name, all)[0],
  });
}
