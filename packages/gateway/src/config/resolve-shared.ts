import type { SharedConfig } from "@fairlead/contract/resilience-schema";
import type { Secret } from "../lib/secret.ts";
import type { ConfigPath } from "./config-error.ts";
import type { Resolution } from "./resolution.ts";
import { resolveSecret } from "./resolve-secret.ts";

/** Where replicas meet. */
export interface SharedSettings {
  readonly url: Secret;
  /** What people may see of the URL: host and port. */
  readonly place: string;
  readonly prefix: string;
  readonly timeoutMs: number;
  /** As the operator says; what is seen there counts as soon as it is. */
  readonly replicas: number;
}

const at: ConfigPath = ["shared", "url"];
const usualPort = "6379";

/** Reads where the store is that all replicas use. A URL may hold a password, so no fault or warning shows it. */
export function resolveShared(
  { url, prefix, timeoutMs, replicas }: SharedConfig,
  resolution: Resolution,
): SharedSettings | undefined {
  if (url === undefined) return undefined;
  // A URL without a password may stand in the config, unlike a key.
  const quiet: Resolution = { ...resolution, warnings: [] };
  const found = resolveSecret(url, at, quiet);
  if (found === undefined) return undefined;
  const text = found.reveal();
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text) || new URL(text).hostname === "") {
    const expected = "`redis://user:password@host:6379/0` or `rediss://…`";
    resolution.faults.push({ at, what: "is no Redis URL", expected });
    return undefined;
  }
  const { hostname, port, password } = new URL(text);
  if (typeof url === "string" && !url.includes("${") && password !== "") {
    resolution.warnings.push(
      "shared.url holds a password written out in the config; keep it in the environment (`${NAME}`) or in a file instead",
    );
  }
  return { url: found, place: `${hostname}:${port === "" ? usualPort : port}`, prefix, timeoutMs, replicas };
}
