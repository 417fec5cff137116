import { configPlanAnswer } from "@fairlead/contract/admin-api/config-api";
import type { FairleadConfig } from "@fairlead/contract/config-schema";
import { ConfigError } from "../config/config-error.ts";
import { type ConfigChange, diffConfigs } from "../config/diff-configs.ts";
import type { Env } from "../config/interpolate.ts";
import { parseConfig, readConfigFile } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import type { AdminClient } from "./admin-client.ts";
import { CommandError } from "./command-error.ts";
import type { CommandResult } from "./config-check.ts";
import { restartNeeded } from "./restart-needed.ts";

/** What a difference amounts to; with `problems` the rest is empty. */
interface Difference {
  readonly problems: readonly string[];
  readonly changes: readonly ConfigChange[];
  readonly restartNeeded: readonly string[];
  readonly warnings: readonly string[];
}

/** Ends of the command, as `diff` has them. */
const exit = { same: 0, differs: 1, faulty: 2 } as const;

const sign = { added: "+", removed: "-", changed: "~" } as const;

function changeText({ path, change, before, after }: ConfigChange): string {
  const [from, to] = [JSON.stringify(before), JSON.stringify(after)];
  if (change === "added") return `${sign.added} ${path}: ${to}`;
  if (change === "removed") return `${sign.removed} ${path}: ${from}`;
  // Of a secret it is only told that it is another one.
  return `${sign.changed} ${path}: ${from === to ? from : `${from} → ${to}`}`;
}

function resultOf(difference: Difference, json: boolean): CommandResult {
  const { problems, changes, restartNeeded: restart, warnings } = difference;
  const exitCode = problems.length > 0 ? exit.faulty : changes.length > 0 ? exit.differs : exit.same;
  if (json) {
    const report = { same: exitCode === exit.same, problems, changes, restart_needed: restart, warnings };
    return { exitCode, output: JSON.stringify(report, null, 2) };
  }
  const lines = [
    ...problems,
    ...changes.map(changeText),
    ...restart.map((path) => `needs a restart: ${path}`),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  if (exitCode === exit.same) lines.push("They say the same.");
  return { exitCode, output: lines.join("\n") };
}

const faulty = (problems: readonly string[]): Difference => ({
  problems,
  changes: [],
  restartNeeded: [],
  warnings: [],
});

interface Checked {
  readonly text: string;
  readonly config: FairleadConfig;
  readonly warnings: readonly string[];
}

/** @throws ConfigError */
function check(path: string, env: Env): Checked {
  const text = readConfigFile(path);
  const { config, source, warnings } = parseConfig(text, path, env);
  const resolved = resolveCatalogue(config, { source, env });
  return { text, config, warnings: [...warnings, ...resolved.warnings] };
}

function differenceOf(before: string, after: string, env: Env): Difference {
  try {
    const [from, to] = [check(before, env), check(after, env)];
    return {
      problems: [],
      changes: diffConfigs(from.text, to.text),
      restartNeeded: restartNeeded(from.config, to.config),
      warnings: to.warnings,
    };
  } catch (thrown) {
    if (thrown instanceof ConfigError) return faulty(thrown.message.split("\n"));
    throw thrown;
  }
}

/** Compares two config files. Exit code 0 when they say the same, 1 when they differ, 2 when one of them is wrong. */
export function diffFiles(before: string, after: string, env: Env, json: boolean): CommandResult {
  return resultOf(differenceOf(before, after, env), json);
}

/**
 * Compares what a gateway has in force with a file, as that gateway sees it: with its environment and its secrets. Exit
 * codes as for two files; 2 also when no gateway can be asked.
 */
export async function diffRunning(open: () => AdminClient, path: string, json: boolean): Promise<CommandResult> {
  try {
    const text = readConfigFile(path);
    const plan = await open().post("/admin/v1/config/plan", configPlanAnswer, { text });
    const { problems, changes, restart_needed, warnings } = plan;
    const place = ({ line, column }: (typeof problems)[number]): string =>
      line === null ? path : `${path}:${line}:${column ?? 1}`;
    const told = problems.map((problem) => `${place(problem)} ${problem.path}: ${problem.message}`);
    return resultOf(
      told.length > 0 ? faulty(told) : { problems: [], changes, restartNeeded: restart_needed, warnings },
      json,
    );
  } catch (thrown) {
    if (thrown instanceof ConfigError || thrown instanceof CommandError)
      return resultOf(faulty([thrown.message]), json);
    throw thrown;
  }
}
