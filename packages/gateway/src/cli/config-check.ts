import { ConfigError } from "../config/config-error.ts";
import type { Env } from "../config/interpolate.ts";
import { loadConfig } from "../config/load-config.ts";
import { type ResolvedConfig, resolveCatalogue } from "../config/resolve-catalogue.ts";

/** What a command prints and ends with. */
export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
}

export interface ConfigCheckOptions {
  readonly path: string;
  readonly env?: Env;
  readonly json?: boolean;
}

function countOf(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function describe(path: string, resolved: ResolvedConfig): string {
  const { upstreams, catalogue, warnings } = resolved;
  const shown = [...catalogue.names].filter(([, target]) => target.listed);
  const counts = [
    countOf(upstreams.length, "upstream"),
    countOf(catalogue.deployments.length, "deployment"),
    countOf(shown.length, "public name"),
  ];
  return [`${path} is valid: ${counts.join(", ")}`, ...warnings.map((warning) => `warning: ${warning}`)].join("\n");
}

function describeAsJson(path: string, resolved: ResolvedConfig): string {
  const { upstreams, catalogue, warnings } = resolved;
  const names = Object.fromEntries([...catalogue.names].map(([name, { targets }]) => [name, targets.map((t) => t.id)]));
  return JSON.stringify(
    { valid: true, file: path, upstreams: upstreams.map(({ name }) => name), names, warnings },
    null,
    2,
  );
}

/** Checks a config file as far as the gateway would on start. Exit code 0 when it is usable, 2 when it is wrong. */
export async function runConfigCheck({ path, env, json = false }: ConfigCheckOptions): Promise<CommandResult> {
  const environment = env === undefined ? [] : [env];
  try {
    const { config, source, warnings } = loadConfig(path, ...environment);
    const checked = resolveCatalogue(config, { source, ...(env === undefined ? {} : { env }) });
    const resolved = { ...checked, warnings: [...warnings, ...checked.warnings] };
    return { exitCode: 0, output: json ? describeAsJson(path, resolved) : describe(path, resolved) };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    const { problems, message } = thrown;
    if (json) return { exitCode: 2, output: JSON.stringify({ valid: false, file: path, problems }, null, 2) };
    return { exitCode: 2, output: `${message}\n\n${path} has ${countOf(problems.length, "problem")}.` };
  }
}
