import { readFileSync } from "node:fs";
import { configSchema, type FairleadConfig } from "@fairlead/contract/config-schema";
import { isObject } from "../lib/json.ts";
import { ConfigError, type Fault, formatPath } from "./config-error.ts";
import { type ConfigSource, noSource, placeFaults } from "./config-source.ts";
import { explainIssues } from "./explain-issues.ts";
import type { Env } from "./interpolate.ts";
import { keyFaults } from "./key-faults.ts";
import { presetFault } from "./preset-fault.ts";
import { readYaml } from "./read-yaml.ts";

/** A config that fits the schema, with every default filled in. Its secrets are still references. */
export interface LoadedConfig {
  readonly config: FairleadConfig;
  readonly source: ConfigSource;
  readonly warnings: readonly string[];
}

/** What the schema cannot know while it fails elsewhere, so that all problems come at once. */
function presetFaults(value: unknown, source: ConfigSource): Fault[] {
  const upstreams = isObject(value) && isObject(value["upstreams"]) ? value["upstreams"] : {};
  return Object.entries(upstreams).flatMap(([name, upstream]) => {
    const preset = isObject(upstream) ? upstream["preset"] : undefined;
    const fault = typeof preset === "string" ? presetFault(name, preset, source) : undefined;
    return fault === undefined ? [] : [fault];
  });
}

function validate(value: unknown, source: ConfigSource, earlier: readonly Fault[], env?: Env): FairleadConfig {
  const result = configSchema.safeParse(value);
  if (result.success && earlier.length === 0) return result.data;
  const told = new Set(earlier.map((fault) => formatPath(fault.at)));
  const issues = result.success ? [] : explainIssues(result.error.issues, value, source);
  const keys = env === undefined ? [] : keyFaults(value, source, env);
  const fresh = [...issues, ...keys].filter((fault) => !told.has(formatPath(fault.at)));
  throw new ConfigError(source.file, placeFaults(source, [...earlier, ...fresh, ...presetFaults(value, source)]));
}

/**
 * Parses and validates the text of a config file; `file` is only its name in messages.
 * @throws ConfigError with every problem at once
 */
export function parseConfig(text: string, file: string, env: Env = process.env): LoadedConfig {
  const { value, source, warnings, faults } = readYaml(text, file, env);
  return { config: validate(value, source, faults, env), source, warnings };
}

/**
 * Validates a config that was made in memory, for example the one that stands in for a missing file.
 * @throws ConfigError with every problem at once
 */
export function acceptConfig(value: unknown): LoadedConfig {
  return { config: validate(value, noSource, []), source: noSource, warnings: [] };
}

/**
 * Reads, parses and validates a config file.
 * @throws ConfigError with every problem at once, also when the file cannot be read
 */
export function loadConfig(path: string, env: Env = process.env): LoadedConfig {
  return parseConfig(readConfigFile(path), path, env);
}

/** @throws ConfigError when it cannot be read */
export function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    const code = isObject(thrown) ? String(thrown["code"]) : "";
    const reasons: Record<string, string> = {
      ENOENT: "does not exist",
      EACCES: "may not be read",
      EISDIR: "is a folder",
    };
    throw new ConfigError(path, [{ path: "", what: reasons[code] ?? "cannot be read", expected: "a YAML file" }]);
  }
}
