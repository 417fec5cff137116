import type { AuthConfig, DeploymentConfigInput, UpstreamConfig } from "@fairlead/contract/config-schema";
import { deploymentSchema, usualTimeouts } from "@fairlead/contract/config-schema";
import { type EngineName, protocolNames } from "@fairlead/contract/names";
import type { Deployment, DeploymentId, HealthProbe, Timeouts, Upstream, UpstreamAuth } from "../core/deployment.ts";
import { engines } from "../upstreams/engines/registry.ts";
import { modelTraits } from "../upstreams/model-traits.ts";
import type { Preset } from "../upstreams/preset.ts";
import { findPreset, guessedCapabilities, modelsProbeOf, providerOfProtocol } from "../upstreams/presets.ts";
import { isLoopback } from "./check-bind.ts";
import { type ConfigPath, formatPath } from "./config-error.ts";
import { showValue } from "./config-source.ts";
import { presetFault } from "./preset-fault.ts";
import { missing, type Resolution } from "./resolution.ts";
import { headerNameFault, resolveHeaders } from "./resolve-headers.ts";
import { resolveSecret } from "./resolve-secret.ts";
import { resolveWake } from "./resolve-wake.ts";

/** An upstream with everything it serves, in the order of the config. */
export interface ResolvedUpstream {
  readonly upstream: Upstream;
  readonly deployments: readonly Deployment[];
  /** The deployment meant when this upstream is asked for its best. */
  readonly flagship: Deployment | undefined;
}

const intervals = { local: 2_000, cloud: 30_000 } as const;
const probeTimeoutMs = 2_000;

function resolveBaseUrl(text: string, at: ConfigPath, resolution: Resolution): string {
  const url = new URL(text);
  const note = (what: string, expected: string) => resolution.faults.push({ at, what, expected });
  if (url.username !== "" || url.password !== "") note("holds credentials", "them under `auth`");
  if (url.search !== "" || url.hash !== "") note("has a query or a fragment", "a URL that ends with its path");
  return text.replace(/\/+$/, "");
}

function resolveGivenAuth(auth: AuthConfig, at: ConfigPath, resolution: Resolution): UpstreamAuth | undefined {
  if (auth.type === "none") return { type: "none" };
  if (auth.type === "header") {
    const fault = headerNameFault(auth.name);
    if (fault !== undefined) {
      resolution.faults.push({ at: [...at, "name"], ...fault });
      return undefined;
    }
  }
  if (typeof auth.key === "object" && "store" in auth.key && resolution.withoutStored === "left-out") {
    const { store } = auth.key;
    if (resolution.stored?.has(store) !== true) {
      const which = `the stored credential ${JSON.stringify(store)}`;
      resolution.warnings.push(
        `${formatPath(at)}: ${which} does not exist or cannot be read; the upstream is left out`,
      );
      return undefined;
    }
  }
  const key = resolveSecret(auth.key, [...at, "key"], resolution);
  if (key === undefined) return undefined;
  return auth.type === "bearer" ? { type: "bearer", key } : { type: "header", name: auth.name, key };
}

function resolveAuth(
  config: UpstreamConfig,
  preset: Preset | undefined,
  at: ConfigPath,
  resolution: Resolution,
): UpstreamAuth | undefined {
  const here = [...at, "auth"];
  if (config.auth !== undefined) return resolveGivenAuth(config.auth, here, resolution);
  if (preset === undefined || preset.auth.type === "none") return { type: "none" };
  const { env, ...scheme } = preset.auth;
  const key = resolveSecret({ env }, here, resolution);
  return key === undefined ? undefined : { ...scheme, key };
}

function resolveHealth(
  config: UpstreamConfig,
  upstream: Omit<Upstream, "health">,
  preset: Preset | undefined,
): HealthProbe | undefined {
  if (config.health === false) return undefined;
  const modelsPath = `${new URL(upstream.baseUrl).pathname.replace(/\/+$/, "")}/models`;
  const usual = upstream.engine === undefined ? modelsPath : engines[upstream.engine].healthPath;
  const known = upstream.engine !== undefined || preset?.listsModels !== false;
  const path = config.health?.path ?? (known ? usual : undefined);
  if (path === undefined) return undefined;
  return {
    path,
    intervalMs: config.health?.intervalMs ?? intervals[upstream.placement],
    timeoutMs: config.health?.timeoutMs ?? probeTimeoutMs,
    authenticated: upstream.auth.type !== "none",
    headers: preset?.probeHeaders ?? modelsProbeOf[upstream.protocol].probeHeaders ?? {},
  };
}

function warnAboutPlainHttp(upstream: Upstream, resolution: Resolution): void {
  const url = new URL(upstream.baseUrl);
  const exposed = upstream.placement === "cloud" && url.protocol === "http:" && !isLoopback(url.hostname);
  if (exposed) resolution.warnings.push(`upstreams.${upstream.name} is a cloud upstream over plain http: use https`);
}

/** A limit that was given must fit into the whole attempt; one that was not is made to fit. */
function resolveTimeouts(
  { timeouts: given }: UpstreamConfig,
  at: ConfigPath,
  { source, faults }: Resolution,
): Timeouts {
  const { idleMs, totalMs } = given;
  const resolve = (name: keyof typeof usualTimeouts): number => {
    const ms = given[name];
    if (ms === undefined) return Math.min(usualTimeouts[name], totalMs);
    const here = [...at, "timeouts", name];
    const shown = showValue(source, here, ms);
    const expected = `at most ${totalMs}, or a longer \`totalMs\``;
    if (ms > totalMs) faults.push({ at: here, what: `${shown} is longer than \`totalMs\``, value: shown, expected });
    return ms;
  };
  return {
    connectMs: resolve("connectMs"),
    firstContentMs: resolve("firstContentMs"),
    coldStartMs: resolve("coldStartMs"),
    wholeMs: resolve("wholeMs"),
    idleMs,
    totalMs,
  };
}

/** Fills one upstream from its preset. Notes every problem; undefined when it cannot be made. */
function makeUpstream(name: string, config: UpstreamConfig, resolution: Resolution): Upstream | undefined {
  const at = ["upstreams", name];
  const preset = config.preset === undefined ? undefined : findPreset(config.preset);
  const fault = config.preset === undefined ? undefined : presetFault(name, config.preset, resolution.source);
  if (fault !== undefined) {
    resolution.faults.push(fault);
    return undefined;
  }
  const engine: EngineName | undefined = config.engine ?? preset?.engine;
  const protocol = config.protocol ?? preset?.protocol ?? missing(resolution, [...at, "protocol"], protocolWanted);
  const placement = config.placement ?? preset?.placement ?? missing(resolution, [...at, "placement"], placementWanted);
  const given = config.baseUrl ?? preset?.baseUrl ?? missing(resolution, [...at, "baseUrl"], baseUrlWanted);
  const baseUrl = given === undefined ? undefined : resolveBaseUrl(given, [...at, "baseUrl"], resolution);
  const auth = resolveAuth(config, preset, at, resolution);
  const headers = resolveHeaders(config.headers, config.auth ?? preset?.auth, [...at, "headers"], resolution);
  if (protocol === undefined || placement === undefined || baseUrl === undefined || auth === undefined)
    return undefined;
  const provider = config.preset ?? engine ?? providerOfProtocol[protocol];
  const timeouts = resolveTimeouts(config, at, resolution);
  const { proxy, cost, region } = config;
  const simulated = resolution.simulated.has(name);
  const base = {
    name,
    provider,
    placement,
    region,
    protocol,
    engine,
    baseUrl,
    auth,
    headers,
    proxy,
    timeouts,
    cost,
    routesItself: preset?.routesItself ?? false,
    simulated,
  };
  const probed = { ...base, health: resolveHealth(config, base, preset) };
  const upstream = { ...probed, wake: resolveWake(config.wake, probed, resolution) };
  warnAboutPlainHttp(upstream, resolution);
  return upstream;
}

const protocolWanted = `the API it speaks (${protocolNames.join(" or ")}), or a \`preset\` that knows it`;
const placementWanted = "`local` or `cloud`, or a `preset` that knows it";
const baseUrlWanted = "an absolute http:// or https:// URL, or a `preset` that knows it";
function makeDeployment(
  upstream: Upstream,
  config: DeploymentConfigInput,
  preset: Preset | undefined,
  at: ConfigPath,
  resolution: Resolution,
): Deployment {
  const known = preset?.models.find((model) => model.id === config.id);
  const contextWindow = config.contextWindow ?? known?.contextWindow;
  const maxOutputTokens = config.maxOutputTokens ?? known?.maxOutputTokens;
  if (contextWindow !== undefined && config.maxOutputTokens !== undefined && config.maxOutputTokens > contextWindow) {
    const here = [...at, "maxOutputTokens"];
    const what = `${showValue(resolution.source, here, config.maxOutputTokens)} is larger than the context window`;
    resolution.faults.push({
      at: here,
      what,
      value: String(config.maxOutputTokens),
      expected: `at most ${contextWindow}`,
    });
  }
  const guessed = preset?.defaultCapabilities ?? guessedCapabilities[upstream.placement];
  const { aliases, adequate, weight, slots, ...given } = deploymentSchema.parse(config);
  const traits = modelTraits(config.id, upstream.placement);
  return {
    id: `${upstream.name}/${config.id}` as DeploymentId,
    upstream,
    model: config.id,
    aliases,
    contextWindow,
    maxOutputTokens: maxOutputTokens === undefined ? undefined : Math.min(maxOutputTokens, contextWindow ?? Infinity),
    capabilities: new Set(config.capabilities ?? known?.capabilities ?? guessed),
    adequate,
    tags: given.tags ?? traits.tags,
    weights: {
      cost: given.weights.cost ?? traits.weights.cost,
      latency: given.weights.latency ?? traits.weights.latency,
      quality: given.weights.quality ?? traits.weights.quality,
    },
    weight,
    slots,
  };
}

/** Makes a deployment's model one that can be replaced, in place: names and chains already hold the deployment. */
function withAssumedModel(deployment: Deployment): Deployment {
  let { model } = deployment;
  return {
    ...deployment,
    get model() {
      return model;
    },
    adoptModel(served) {
      model = served;
    },
  };
}

/** Resolves one entry of `upstreams` with the models it serves. Notes every problem it meets. */
export function resolveUpstream(
  name: string,
  config: UpstreamConfig,
  resolution: Resolution,
): ResolvedUpstream | undefined {
  const at = ["upstreams", name, "models"];
  const preset = config.preset === undefined ? undefined : findPreset(config.preset);
  const models: readonly DeploymentConfigInput[] = config.models ?? preset?.models.map(({ id }) => ({ id })) ?? [];
  if (models.length === 0 && (config.preset === undefined || preset !== undefined)) {
    missing(resolution, at, "a list of the models it serves, for example `- id: my-model`");
  }
  const seen = new Set<string>();
  for (const [index, { id }] of models.entries()) {
    if (seen.has(id)) {
      const here = [...at, index, "id"];
      resolution.faults.push({ at: here, what: `${JSON.stringify(id)} is listed twice`, expected: "each model once" });
    }
    seen.add(id);
  }
  const upstream = makeUpstream(name, config, resolution);
  if (upstream === undefined) return undefined;
  const deployments = models.map((model, i) => {
    const deployment = makeDeployment(upstream, model, preset, [...at, i], resolution);
    return resolution.assumed.has(name) ? withAssumedModel(deployment) : deployment;
  });
  const best = deployments.find((deployment) => deployment.model === preset?.flagship) ?? deployments[0];
  return { upstream, deployments, flagship: best };
}
