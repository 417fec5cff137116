import { existsSync } from "node:fs";
import { acceptConfig, type LoadedConfig, loadConfig } from "../config/load-config.ts";
import { type ResolvedConfig, resolveCatalogue } from "../config/resolve-catalogue.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { addSimulated, type Simulated } from "./simulated.ts";

export interface ServeOptions {
  readonly config?: string | undefined;
  readonly port?: number | undefined;
  readonly host?: string | undefined;
}

/** A config ready to run, and how it came about. */
export interface Prepared {
  readonly resolved: ResolvedConfig;
  /** One line each, for a person. */
  readonly findings: readonly string[];
  readonly simulated: Simulated;
}

/** Looked for in the working directory when `--config` is not given. */
const usualFile = "fairlead.yaml";
/** Where the container image expects it. */
const imageFile = "/config.yaml";

type Env = Readonly<Record<string, string | undefined>>;

/** A valid config and what is known about its making. */
interface Origin {
  readonly loaded: LoadedConfig;
  readonly findings: readonly string[];
  /** Upstreams whose model nobody named. */
  readonly assumed: ReadonlySet<string>;
}

async function load(options: ServeOptions, env: Env): Promise<Origin> {
  const path = options.config ?? [usualFile, imageFile].find((candidate) => existsSync(candidate));
  if (path !== undefined) {
    return { loaded: loadConfig(path, env), findings: [`config: ${path}`], assumed: new Set() };
  }
  const { config, findings, assumed } = await zeroConfig({ env });
  return { loaded: acceptConfig(config), findings, assumed };
}

/**
 * Loads the config file, or makes a config from the environment and this machine where there is none; command-line
 * options win. With `demo`, simulated upstreams stand in for the placements that are missing.
 * @throws ConfigError with every problem at once
 */
export async function prepareConfig(options: ServeOptions, env: Env, demo: boolean): Promise<Prepared> {
  const { loaded, findings, assumed } = await load(options, env);
  const server = {
    ...loaded.config.server,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.host === undefined ? {} : { host: options.host }),
  };
  const base = { ...loaded.config, server };
  const simulated = await addSimulated(base, loaded.source, env, demo);
  const { names } = simulated;
  const resolved = resolveCatalogue(simulated.config, { source: loaded.source, env, simulated: names, assumed });
  return { resolved: { ...resolved, warnings: [...loaded.warnings, ...resolved.warnings] }, findings, simulated };
}
