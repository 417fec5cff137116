import { existsSync } from "node:fs";
import { type StrategyName, strategyAliases } from "@fairlead/contract/routing-names";
import { Command } from "commander";
import type { Env } from "../config/interpolate.ts";
import { loadConfig } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import { builtInStrategies } from "../config/strategies/built-in-strategies.ts";
import { canonicalStrategy } from "../config/strategies/canonical-strategy.ts";
import type { Strategy } from "../core/strategy.ts";
import { nearNames } from "../lib/near-names.ts";
import { CommandError } from "./command-error.ts";
import type { CommandResult } from "./config-check.ts";
import { listText, renderTable } from "./table.ts";

export interface StrategiesOptions {
  /** Shows this one's rules; a list of all unless given. */
  readonly name?: string | undefined;
  readonly config?: string | undefined;
  readonly json: boolean;
  readonly env: Env;
}

const usualFile = "fairlead.yaml";
const nothing = { deployments: [], autoCloud: [], longContext: [], fallback: [] };

/** Those of the config file, or only the built-in ones where there is none: no server is looked for. */
function strategiesOf(path: string | undefined, env: Env): ReadonlyMap<StrategyName, Strategy> {
  if (path === undefined) return builtInStrategies(nothing);
  const { config, source } = loadConfig(path, env);
  return resolveCatalogue(config, { source, env }).catalogue.strategies;
}

function aliasesOf(name: StrategyName): readonly string[] {
  return Object.keys(strategyAliases).filter((alias) => strategyAliases[alias] === name);
}

function asJson(strategy: Strategy): object {
  const { name, description, origin, settings, control, source } = strategy;
  const written = (Bun.YAML.parse(source) as Readonly<Record<string, { readonly rules?: unknown }>>)[name];
  return {
    name,
    aliases: aliasesOf(name),
    description,
    origin,
    settings,
    control: control ?? null,
    rules: written?.rules,
  };
}

function showAll(strategies: Iterable<Strategy>): string {
  const rows = [...strategies].map(({ name, origin, description }) => [
    name,
    listText(aliasesOf(name), "-"),
    origin,
    description,
  ]);
  const titles = ["strategy", "also", "origin", "what it does"];
  return renderTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

/**
 * Lists strategies, or prints one's rules as they may stand under `strategies`.
 * @throws ConfigError when the config file is wrong, CommandError when nothing has the name
 */
export function runStrategies({ name, config, json, env }: StrategiesOptions): CommandResult {
  const strategies = strategiesOf(config ?? (existsSync(usualFile) ? usualFile : undefined), env);
  if (name === undefined) {
    const all = [...strategies.values()];
    return { exitCode: 0, output: json ? JSON.stringify(all.map(asJson), null, 2) : showAll(all) };
  }
  const strategy = strategies.get(canonicalStrategy(name));
  if (strategy === undefined) {
    const near = nearNames(name, [...strategies.keys(), ...Object.keys(strategyAliases)])[0];
    const hint = near === undefined ? "`fairlead strategies` lists those there are" : `did you mean \`${near}\`?`;
    throw new CommandError(`no strategy is called ${JSON.stringify(name)}; ${hint}`);
  }
  if (json) return { exitCode: 0, output: JSON.stringify(asJson(strategy), null, 2) };
  return { exitCode: 0, output: strategy.source.trimEnd().replace(/^(?=.)/gm, "  ") };
}

/** `fairlead strategies`. */
export function strategiesCommand(env: Env, finish: (result: CommandResult) => void): Command {
  return new Command("strategies")
    .description("list strategies, or print the rules of one as they may stand under `strategies` in the config")
    .argument("[name]", "strategy")
    .option("-c, --config <file>", "config file (default: fairlead.yaml here, or only the built-in ones)")
    .option("--json", "report in JSON", false)
    .action((name: string | undefined, { config, json }: { config?: string; json: boolean }) =>
      finish(runStrategies({ name, config, json, env })),
    );
}
