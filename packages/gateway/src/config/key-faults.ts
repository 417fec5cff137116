import { readFileSync } from "node:fs";
import { secretSchema } from "@fairlead/contract/config-fields";
import type { SecretReference } from "@fairlead/contract/config-schema";
import { isObject } from "../lib/json.ts";
import { findPreset } from "../upstreams/presets.ts";
import type { ConfigPath, Fault } from "./config-error.ts";
import type { ConfigSource } from "./config-source.ts";
import type { Env } from "./interpolate.ts";
import type { Resolution } from "./resolution.ts";
import { resolveSecret } from "./resolve-secret.ts";

interface Wanted {
  readonly at: ConfigPath;
  readonly reference: SecretReference;
}

function wantedAt(at: ConfigPath, value: unknown): Wanted[] {
  const parsed = secretSchema.safeParse(value);
  return parsed.success ? [{ at, reference: parsed.data }] : [];
}

function wantedBy(name: string, upstream: unknown): Wanted[] {
  if (!isObject(upstream)) return [];
  const at = ["upstreams", name, "auth"];
  const { auth } = upstream;
  if (auth !== undefined) return isObject(auth) ? wantedAt([...at, "key"], auth["key"]) : [];
  const usual = typeof upstream["preset"] === "string" ? findPreset(upstream["preset"])?.auth : undefined;
  return usual === undefined || usual.type === "none" ? [] : [{ at, reference: { env: usual.env } }];
}

/** Says which keys cannot be had, of a config that may be wrong elsewhere too. */
export function keyFaults(value: unknown, source: ConfigSource, env: Env): readonly Fault[] {
  if (!isObject(value)) return [];
  const { auth, upstreams } = value;
  const wanted = [
    ...(isObject(auth) ? wantedAt(["auth", "key"], auth["key"]) : []),
    ...Object.entries(isObject(upstreams) ? upstreams : {}).flatMap(([name, upstream]) => wantedBy(name, upstream)),
  ];
  const resolution: Resolution = {
    source,
    env,
    readFile: (path) => readFileSync(path, "utf8"),
    simulated: new Set(),
    assumed: new Set(),
    faults: [],
    warnings: [],
  };
  for (const { at, reference } of wanted) {
    // Which credentials are stored is known only for a config that is right.
    if (typeof reference === "object" && "store" in reference) continue;
    resolveSecret(reference, at, resolution);
  }
  return resolution.faults;
}
