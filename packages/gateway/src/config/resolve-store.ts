import { readFileSync } from "node:fs";
import type { FairleadConfig } from "@fairlead/contract/config-schema";
import type { Secret } from "../lib/secret.ts";
import { type ConfigSource, noSource } from "./config-source.ts";
import type { Env } from "./interpolate.ts";
import type { Resolution } from "./resolution.ts";
import { resolveSecret } from "./resolve-secret.ts";
import { resolveStorage, type StorageSettings } from "./resolve-storage.ts";

/** What must be known before the rest of a config is resolved, because the rest may refer to what is stored. */
export interface StoreSettings {
  readonly storage: StorageSettings;
  readonly secret: Secret | undefined;
}

/** Undefined when it cannot be told: resolving the whole config then names the fault among all others. */
export function resolveStore(
  { storage, auth }: FairleadConfig,
  { source = noSource, env = process.env }: { readonly source?: ConfigSource; readonly env?: Env },
): StoreSettings | undefined {
  const resolution: Resolution = {
    source,
    env,
    readFile: (path) => readFileSync(path, "utf8"),
    simulated: new Set(),
    assumed: new Set(),
    faults: [],
    warnings: [],
  };
  const settings = resolveStorage(storage, resolution);
  const secret = auth.secret === undefined ? undefined : resolveSecret(auth.secret, ["auth", "secret"], resolution);
  return resolution.faults.length > 0 ? undefined : { storage: settings, secret };
}
