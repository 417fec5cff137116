import { existsSync } from "node:fs";
import type { FairleadConfig } from "@fairlead/contract/config-schema";
import { checkBind } from "../config/check-bind.ts";
import { ConfigError } from "../config/config-error.ts";
import { type ConfigSource, placeFaults } from "../config/config-source.ts";
import type { StoredSecrets } from "../config/fetch-stored-secrets.ts";
import { acceptConfig, type LoadedConfig, parseConfig, readConfigFile } from "../config/load-config.ts";
import { type ResolvedConfig, resolveCatalogue } from "../config/resolve-catalogue.ts";
import { storageDir } from "../config/resolve-storage.ts";
import { resolveStore, type StoreSettings } from "../config/resolve-store.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { addSimulated, type Simulated } from "./simulated.ts";
import type { GivenConfig } from "./worker-orders.ts";

export interface ServeOptions {
  readonly config?: string | undefined;
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly workers?: number | undefined;
  /** A config that another process of the same gateway read or made: no file is looked for. */
  readonly given?: GivenConfig | undefined;
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
  readonly path: string | undefined;
  /** What the file said; empty without one. */
  readonly text: string;
  readonly findings: readonly string[];
  /** Upstreams whose model nobody named. */
  readonly assumed: ReadonlySet<string>;
}

async function load(options: ServeOptions, env: Env): Promise<Origin> {
  if (options.given?.kind === "file") {
    const { path, text } = options.given;
    return { loaded: parseConfig(text, path, env), path, text, findings: [`config: ${path}`], assumed: new Set() };
  }
  if (options.given?.kind === "made") {
    const { config, findings, assumed } = options.given;
    return { loaded: acceptConfig(config), path: undefined, text: "", findings, assumed: new Set(assumed) };
  }
  const path = options.config ?? [usualFile, imageFile].find((candidate) => existsSync(candidate));
  if (path !== undefined) {
    const text = readConfigFile(path);
    return { loaded: parseConfig(text, path, env), path, text, findings: [`config: ${path}`], assumed: new Set() };
  }
  const { config, findings, assumed } = await zeroConfig({ env });
  return { loaded: acceptConfig(config), path: undefined, text: "", findings, assumed };
}

/** A config that is valid by itself; what it refers to is not fetched yet. */
export interface Loaded {
  readonly config: FairleadConfig;
  readonly source: ConfigSource;
  /** Of the file; undefined where there is none. */
  readonly path: string | undefined;
  /** Undefined while it cannot be told, which resolving then explains. */
  readonly store: StoreSettings | undefined;
  readonly findings: readonly string[];
  readonly simulated: Simulated;
  /** For another process of the same gateway. */
  readonly given: GivenConfig;
  /** @throws ConfigError with every problem at once */
  resolve(stored?: StoredSecrets, withoutStored?: "fault" | "left-out"): ResolvedConfig;
  /**
   * Another text of the same file, under the same options. The socket stays where it is: what this resolves to names its
   * address, and is refused without a key where others can reach that. @throws ConfigError
   */
  reread(text: string): Loaded;
}

/**
 * Loads the config file, or makes a config from the environment and this machine where there is none; command-line
 * options win. With `demo`, simulated upstreams stand in for the placements that are missing.
 * @throws ConfigError with every problem at once
 */
export async function loadOrMakeConfig(options: ServeOptions, env: Env, demo: boolean): Promise<Loaded> {
  const { loaded, path, findings, assumed, text } = await load(options, env);
  const given: GivenConfig =
    path === undefined
      ? { kind: "made", config: loaded.config, findings, assumed: [...assumed] }
      : { kind: "file", path, text };
  const simulated = await addSimulated(withOptions(loaded.config, options), loaded.source, env, demo);
  const added = Object.fromEntries(
    Object.entries(simulated.config.upstreams).filter(([name]) => simulated.names.has(name)),
  );
  // A config that names another folder must not reach what lies in the one that is in use.
  const ownDirs = [storageDir(simulated.config.storage, env)];
  const make = ({ source, warnings }: LoadedConfig, config: FairleadConfig): Loaded => ({
    config,
    source,
    path,
    store: resolveStore(config, { source, env }),
    findings,
    simulated,
    given,
    resolve(stored, withoutStored = "fault") {
      const names = simulated.names;
      const parts = { source, env, simulated: names, assumed, ownDirs, withoutStored };
      const resolved = resolveCatalogue(config, { ...parts, ...(stored && { stored }) });
      return { ...resolved, warnings: [...warnings, ...resolved.warnings] };
    },
    reread(text) {
      const next = parseConfig(text, path ?? "config", env);
      const config = withOptions(next.config, options);
      const made = make(next, { ...config, upstreams: { ...config.upstreams, ...added } });
      const { host, port } = simulated.config.server;
      return { ...made, resolve: (...given) => boundTo(host, port, made.resolve(...given), next.source) };
    },
  });
  return make(loaded, simulated.config);
}

/** @throws ConfigError when it would let strangers in at an address that others can reach */
function boundTo(host: string, port: number, resolved: ResolvedConfig, source: ConfigSource): ResolvedConfig {
  const { key, required, jwt, anonymous } = resolved.auth;
  const fault = checkBind({ host, hasKey: key !== undefined || required || jwt.length > 0, anonymous });
  if (fault !== undefined) throw new ConfigError(source.file, placeFaults(source, [fault]));
  return { ...resolved, server: { ...resolved.server, host, port } };
}

function withOptions(config: FairleadConfig, { port, host, workers }: ServeOptions): FairleadConfig {
  const server = {
    ...config.server,
    ...(port === undefined ? {} : { port }),
    ...(host === undefined ? {} : { host }),
    ...(workers === undefined ? {} : { workers }),
  };
  return { ...config, server };
}

/**
 * The same, resolved, for a command that needs no store of its own.
 * @throws ConfigError with every problem at once
 */
export async function prepareConfig(options: ServeOptions, env: Env, demo: boolean): Promise<Prepared> {
  const loaded = await loadOrMakeConfig(options, env, demo);
  return { resolved: loaded.resolve(), findings: loaded.findings, simulated: loaded.simulated };
}
