import { realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { SecretReference } from "@fairlead/contract/config-schema";
import { isObject } from "../lib/json.ts";
import { Secret } from "../lib/secret.ts";
import { type ConfigPath, formatPath } from "./config-error.ts";
import { interpolate } from "./interpolate.ts";
import type { Resolution } from "./resolution.ts";

function fromEnv(name: string, at: ConfigPath, resolution: Resolution): string | undefined {
  const value = Object.hasOwn(resolution.env, name) ? resolution.env[name] : undefined;
  if (value !== undefined && value !== "") return value;
  const what = value === undefined ? "is not set" : "is empty";
  resolution.faults.push({ at, what: `the environment variable ${name} ${what}`, expected: "it to hold the key" });
  return undefined;
}

/** Where a path leads, links followed as far as it exists. */
function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const above = dirname(whole);
    return above === whole ? whole : join(realPath(above), basename(whole));
  }
}

/** Whether a path leads into a folder, also through links. */
export function isBelow(path: string, dir: string): boolean {
  const way = relative(realPath(dir), realPath(path));
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function fromFile(path: string, at: ConfigPath, resolution: Resolution): string | undefined {
  // The owner's token lies there: as a key it would go to whatever server the config names.
  if (resolution.ownDirs?.some((dir) => isBelow(path, dir))) {
    const expected = "a file outside `storage.dir`";
    resolution.faults.push({ at, what: "leads into the gateway's own data folder", expected });
    return undefined;
  }
  try {
    return resolution.readFile(path).replace(/[\r\n]+$/, "");
  } catch (thrown) {
    const code = isObject(thrown) || thrown instanceof Error ? String((thrown as { code?: unknown }).code ?? "") : "";
    const why = code === "ENOENT" ? "does not exist" : "cannot be read";
    resolution.faults.push({
      at,
      what: `the file ${JSON.stringify(path)} ${why}`,
      expected: "a file that holds the key",
    });
    return undefined;
  }
}

function fromStore(name: string, at: ConfigPath, resolution: Resolution): string | undefined {
  const value = resolution.stored?.get(name)?.reveal();
  if (value !== undefined) return value;
  const why = resolution.withoutStored === "left-out" ? "does not exist, or cannot be read now" : "does not exist";
  resolution.faults.push({
    at,
    what: `the stored credential ${JSON.stringify(name)} ${why}`,
    expected: `it to be stored first: \`PUT /admin/v1/credentials/${name}\` or \`fairlead credentials set ${name}\``,
  });
  return undefined;
}

function fromText(text: string, at: ConfigPath, resolution: Resolution): string | undefined {
  const { text: value, names, missing } = interpolate(text, resolution.env);
  for (const name of missing) {
    resolution.faults.push({ at, what: `the environment variable ${name} is not set`, expected: "it to hold the key" });
  }
  if (names.length === 0 && text !== "") {
    resolution.warnings.push(
      `${formatPath(at)} is written out in the config; keep it in the environment (\`\${NAME}\`) or in a file instead`,
    );
  }
  return missing.length > 0 ? undefined : value;
}

/** Fetches a secret from where its reference points. What cannot be had is noted as a fault; no note holds the value. */
export function resolveSecret(reference: SecretReference, at: ConfigPath, resolution: Resolution): Secret | undefined {
  let value: string | undefined;
  if (typeof reference === "string") value = fromText(reference, at, resolution);
  else if ("env" in reference) value = fromEnv(reference.env, at, resolution);
  else if ("file" in reference) value = fromFile(reference.file, at, resolution);
  else value = fromStore(reference.store, at, resolution);
  if (value === undefined) return undefined;
  if (value.trim() === "") {
    resolution.faults.push({ at, what: "is empty", expected: "a key" });
    return undefined;
  }
  if (!/^[\x20-\x7e]+$/.test(value) || value !== value.trim()) {
    const expected = "printable ASCII without spaces or line ends around it";
    resolution.faults.push({ at, what: "holds characters that no header can carry", expected });
    return undefined;
  }
  return new Secret(value);
}
