import { secretPaths } from "@fairlead/contract/config-schema";
import { GatewayError } from "../core/errors.ts";
import type { SecretSource } from "../keys/secret-source.ts";
import { isObject } from "../lib/json.ts";
import { Secret } from "../lib/secret.ts";

/** Secrets that were read before a config is resolved, by the name it refers to them with. */
export type StoredSecrets = ReadonlyMap<string, Secret>;

function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] {
  const [head, ...rest] = path;
  if (head === undefined) return [value];
  if (head === "*")
    return isObject(value) || Array.isArray(value) ? Object.values(value).flatMap((one) => valuesAt(one, rest)) : [];
  return isObject(value) ? valuesAt(value[head], rest) : [];
}

/** What a config's secrets refer to in one way, once each: names of stored credentials, or paths of files. */
function referredTo(config: unknown, way: "store" | "file"): readonly string[] {
  const references = secretPaths.flatMap((path) => valuesAt(config, path.split(".")));
  const found = references.map((one) => (isObject(one) && typeof one[way] === "string" ? one[way] : undefined));
  return [...new Set(found.filter((text) => text !== undefined))];
}

/** Names of the stored credentials a config refers to. */
export function storedNames(config: unknown): readonly string[] {
  return referredTo(config, "store");
}

/** Paths of the files a config takes secrets from. */
export function secretFiles(config: unknown): readonly string[] {
  return referredTo(config, "file");
}

/**
 * The same for a store that may not answer: what was read until then, and why it ended. After a failure no further one is
 * waited for.
 */
export async function readStoredSecrets(
  config: unknown,
  source: SecretSource,
): Promise<{ readonly stored: StoredSecrets; readonly cause: GatewayError | undefined }> {
  const stored = new Map<string, Secret>();
  try {
    for (const name of storedNames(config)) {
      const value = await source.read(name);
      if (value !== undefined) stored.set(name, new Secret(value));
    }
    return { stored, cause: undefined };
  } catch (thrown) {
    const message = "Stored credentials cannot be read; upstreams that need them are left out until they can.";
    const cause = new GatewayError("store_unavailable", message, { cause: thrown });
    return { stored, cause };
  }
}

/** Reads every stored credential a config refers to. One that does not exist is left out: resolving then says where. */
export async function fetchStoredSecrets(config: unknown, source: SecretSource): Promise<StoredSecrets> {
  const found = new Map<string, Secret>();
  for (const name of storedNames(config)) {
    const value = await source.read(name);
    if (value !== undefined) found.set(name, new Secret(value));
  }
  return found;
}
