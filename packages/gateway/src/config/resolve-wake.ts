import type { WakeConfig } from "@fairlead/contract/resilience-schema";
import type { Upstream } from "../core/deployment.ts";
import type { Wake } from "../core/wake.ts";
import { wakeHooks } from "../upstreams/wake/registry.ts";
import type { WakeHook } from "../upstreams/wake/wake-hook.ts";
import type { ConfigPath } from "./config-error.ts";
import { missing, type Resolution } from "./resolution.ts";
import { resolveHeaders } from "./resolve-headers.ts";
import { isBelow, resolveSecret } from "./resolve-secret.ts";

type HttpConfig = Extract<WakeConfig, { readonly url: string }>;
type KubernetesConfig = Extract<WakeConfig, { readonly kind: unknown }>;

const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const accountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Resolves an upstream's wake hook and checks that it can work there. Notes every problem; undefined when there is none to use. */
export function resolveWake(
  config: WakeConfig | undefined,
  upstream: Omit<Upstream, "wake">,
  resolution: Resolution,
): Wake | undefined {
  if (config === undefined) return undefined;
  const at = ["upstreams", upstream.name, "wake"];
  const fault = (field: string, what: string, value: string, expected: string): undefined => {
    resolution.faults.push({ at: [...at, field], what, value, expected });
    return undefined;
  };
  const hook = wakeHooks[config.type] as WakeHook;
  if (upstream.placement !== "local") {
    const what = "belongs to a cloud upstream, which nobody has to wake";
    resolution.faults.push({ at, what, expected: "a `wake` of local upstreams only" });
    return undefined;
  }
  if (hook.engine !== undefined && hook.engine !== upstream.engine) {
    const what = `${JSON.stringify(config.type)} does not fit the engine ${upstream.engine ?? "that nobody named"}`;
    return fault("type", what, JSON.stringify(config.type), `\`engine: ${hook.engine}\`, or another type`);
  }
  if (upstream.health === undefined) {
    const expected = "`health` to be on: only a probe tells when the model is there";
    resolution.faults.push({ at, what: "is given, but health probing is off", expected });
    return undefined;
  }
  const traits = hook.traits(config);
  if ("kind" in config) {
    const resolved = resolveKubernetes(config, at, resolution);
    return resolved && { ...resolved, ...traits };
  }
  if (!("url" in config)) return { ...config, ...traits };
  return { ...resolveCall(config, at, resolution), ...traits };
}

function resolveCall(
  { key: reference, headers, url, body, ...rest }: HttpConfig,
  at: ConfigPath,
  resolution: Resolution,
) {
  const note = (field: string, what: string, expected: string): void => {
    resolution.faults.push({ at: [...at, field], what, expected });
  };
  if (new URL(url).username !== "" || new URL(url).password !== "") note("url", "holds credentials", "them as `key`");
  if (body !== undefined && !isJson(body)) note("body", "is no JSON", "JSON text, such as `{}`");
  const auth = reference === undefined ? undefined : ({ type: "bearer", key: reference } as const);
  return {
    ...rest,
    url,
    body,
    key: reference === undefined ? undefined : resolveSecret(reference, [...at, "key"], resolution),
    headers: resolveHeaders(headers, auth, [...at, "headers"], resolution),
  };
}

function resolveKubernetes(config: KubernetesConfig, at: ConfigPath, resolution: Resolution) {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT_HTTPS: port = "443" } = resolution.env;
  const inCluster = host === undefined ? undefined : `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const apiServer = config.apiServer ?? inCluster;
  if (config.kind === "ScaledObject" && config.replicas > 1) {
    const expected = "1: a ScaledObject is activated, and its own `minReplicaCount` says the rest";
    const value = String(config.replicas);
    resolution.faults.push({ at: [...at, "replicas"], what: `${value} is not possible here`, value, expected });
  }
  for (const field of ["name", "namespace"] as const) {
    const given = config[field];
    if (given === undefined || objectName.test(given)) continue;
    // `..` would lead to another object of the API server.
    const value = JSON.stringify(given);
    const expected = "a name as Kubernetes has them: small letters, digits, `-` and `.`";
    resolution.faults.push({ at: [...at, field], what: `${value} is no name of an object`, value, expected });
  }
  const { tokenFile = accountToken } = config;
  // The owner's token lies there: it would go to whatever server the config names.
  if (resolution.ownDirs?.some((dir) => isBelow(tokenFile, dir))) {
    const expected = "a file outside `storage.dir`";
    resolution.faults.push({ at: [...at, "tokenFile"], what: "leads into the gateway's own data folder", expected });
  }
  if (apiServer !== undefined) return { ...config, apiServer, tokenFile };
  return missing(resolution, [...at, "apiServer"], "the URL of the cluster's API server, outside of a cluster");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
