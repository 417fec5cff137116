import { readFileSync } from "node:fs";
import { storedNames } from "../../config/fetch-stored-secrets.ts";
import type { Env } from "../../config/interpolate.ts";
import { loadConfig } from "../../config/load-config.ts";
import { type ResolvedConfig, resolveCatalogue } from "../../config/resolve-catalogue.ts";
import { isObject } from "../../lib/json.ts";
import { Secret } from "../../lib/secret.ts";
import { presets } from "../../upstreams/presets.ts";

/** A config as a replay uses it. */
export interface Policy {
  readonly resolved: ResolvedConfig;
  /** How many of its conditions read headers, which nobody records. */
  readonly headerConditions: number;
}

/** Stands in for keys that are not here: nothing is sent to anyone. */
const standIn = "not needed: a replay sends nothing to anyone";

/**
 * Loads a config without needing its secrets: keys that the environment or files do not hold are stood in for.
 * @throws ConfigError with every problem at once
 */
export function loadPolicy(path: string, env: Env): Policy {
  const given = { ...standIns(path, env), ...env };
  const { config, source } = loadConfig(path, given);
  const resolved = resolveCatalogue(config, {
    source,
    env: given,
    readFile: () => standIn,
    stored: new Map(storedNames(config).map((name) => [name, new Secret(standIn)])),
  });
  const { strategies, routing } = config;
  return { resolved, headerConditions: headerConditions([strategies, routing]) };
}

/** Names of variables that hold keys: those of the presets, and those that the file names where keys stand. */
function standIns(path: string, env: Env): Record<string, string> {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // Loading says so.
  }
  const known = Object.values(presets).flatMap(({ auth }) => ("env" in auth ? [auth.env] : []));
  const named = Array.from(text.matchAll(/\benv["']?:\s*["']?(\w+)/g), ([, name = ""]) => name);
  const written = Array.from(text.matchAll(/\$\{(\w*(?:KEY|TOKEN|SECRET|PASSWORD)\w*)\}/g), ([, name = ""]) => name);
  const missing = [...known, ...named, ...written].filter((name) => env[name] === undefined || env[name] === "");
  return Object.fromEntries(missing.map((name) => [name, standIn]));
}

const readsHeaders = /\bheaders\b/;

/** Counts what stands under `when` and `where` and reads a header, whatever its form. */
function headerConditions(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + headerConditions(one), 0);
  if (!isObject(value)) return 0;
  let found = 0;
  for (const [name, inner] of Object.entries(value)) {
    const isCondition = name === "when" || name === "where";
    if (!isCondition) found += headerConditions(inner);
    else if (readsHeaders.test(typeof inner === "string" ? inner : Object.keys(inner ?? {}).join(" "))) found++;
  }
  return found;
}
