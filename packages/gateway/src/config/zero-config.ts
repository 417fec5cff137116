import type { DeploymentConfigInput, FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import type { GetFetch } from "../upstreams/bounded-get.ts";
import type { ServedModel } from "../upstreams/engines/engine.ts";
import { findPreset, presets } from "../upstreams/presets.ts";
import { assumedServer, lookedForOnLoopback, recognisers, usedByKeyAlone } from "../upstreams/recognisers.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { type Discovery, discover } from "./discover.ts";
import type { Env } from "./interpolate.ts";

/** A place on this machine where a server of one's own may be. */
export interface Spot {
  readonly label: string;
  /** Scheme, host and port. */
  readonly origin: string;
}

/** A config that stands in for a missing file, and what was seen while making it, one line each. */
export interface ZeroConfig {
  readonly config: FairleadConfigInput;
  readonly findings: readonly string[];
  /** Names of upstreams whose model is only assumed. */
  readonly assumed: ReadonlySet<string>;
}

export interface ZeroConfigOptions {
  readonly env?: Env;
  readonly fetch?: GetFetch;
  readonly spots?: readonly Spot[];
  /** Longest look at this machine. */
  readonly deadlineMs?: number;
}

/** The usual port of every server that is looked for. */
export const loopbackSpots: readonly Spot[] = lookedForOnLoopback.flatMap((preset) => {
  const known = recognisers.find((recogniser) => recogniser.preset === preset);
  return known === undefined ? [] : [{ label: known.label, origin: `http://127.0.0.1:${known.defaultPort}` }];
});

const usualDeadlineMs = 500;
const usualHealthTimeoutMs = 2_000;

interface Wishes {
  readonly origin: string | undefined;
  readonly baseUrl: string | undefined;
  readonly healthTimeoutMs: number | undefined;
  readonly adequate: { readonly promptTokens?: number; readonly maxTokens?: number };
}

/**
 * Reads a duration: `2s`, `500ms`, or a bare number, which means milliseconds from 100 on and seconds below.
 * Undefined for anything else.
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s)?$/.exec(text.trim());
  if (match === null) return undefined;
  const value = Number(match[1]);
  const inSeconds = match[2] === "s" || (match[2] === undefined && value < 100);
  return Math.round(inSeconds ? value * 1_000 : value);
}

/** Completes a server's URL to its API's version; undefined when it is no http URL. */
export function completeBaseUrl(text: string): { readonly origin: string; readonly baseUrl: string } | undefined {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  const path = url.pathname.replace(/\/+$/, "");
  const root = path.replace(/\/v\d+$/, "");
  return { origin: url.origin + root, baseUrl: url.origin + (path === root ? `${root}/v1` : path) };
}

function readWishes(env: Env): Wishes {
  const problems: ConfigProblem[] = [];
  const read = <T>(name: string, parse: (text: string) => T | undefined, expected: string): T | undefined => {
    const text = env[name]?.trim();
    if (text === undefined || text === "") return undefined;
    const value = parse(text);
    if (value === undefined) {
      const shown = JSON.stringify(text.slice(0, 80).replace(/\/\/[^/@]*@/, "//[hidden]@"));
      problems.push({ path: name, what: `${shown} is not valid`, value: shown, expected });
    }
    return value;
  };
  const count = (text: string) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);
  const server = read("VLLM_BASE_URL", completeBaseUrl, "an absolute http:// or https:// URL");
  const healthTimeoutMs = read("VLLM_HEALTH_TIMEOUT", parseDuration, "a duration such as 2s or 500ms");
  const promptTokens = read("LOCAL_TOKEN_THRESHOLD", count, "a whole number of tokens");
  const maxTokens = read("LOCAL_MAX_TOKENS_THRESHOLD", count, "a whole number of tokens");
  if (problems.length > 0) throw new ConfigError(undefined, problems);
  const adequate = {
    ...(promptTokens === undefined ? {} : { promptTokens }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
  return { origin: server?.origin, baseUrl: server?.baseUrl, healthTimeoutMs, adequate };
}

/**
 * What the environment trusts local models with, for models that were not found but made up.
 * @throws ConfigError when a variable cannot be understood
 */
export function adequateFromEnvironment(env: Env): Wishes["adequate"] {
  return readWishes(env).adequate;
}

function listOf(models: readonly ServedModel[], wishes: Wishes): DeploymentConfigInput[] {
  return models.map(({ id, contextWindow }) => ({
    id,
    ...(contextWindow === undefined ? {} : { contextWindow }),
    adequate: wishes.adequate,
  }));
}

/** Collects upstreams under names of their own and lines to print. */
class Draft {
  readonly upstreams: Record<string, UpstreamConfigInput> = {};
  readonly findings: string[] = [];
  readonly assumed = new Set<string>();

  /** Returns the name it found for the upstream. */
  add(preset: string, upstream: Omit<UpstreamConfigInput, "preset">): string {
    let name = preset;
    for (let n = 2; Object.hasOwn(this.upstreams, name); n++) name = `${preset}-${n}`;
    this.upstreams[name] = { preset, ...upstream };
    return name;
  }
}

function nameModels(models: readonly ServedModel[]): string {
  const shown = models.slice(0, 4).map(({ id }) => id);
  return models.length > 4 ? `${shown.join(", ")} and ${models.length - 4} more` : shown.join(", ");
}

function addNamedServer(draft: Draft, found: Discovery, wishes: Wishes): void {
  const baseUrl = wishes.baseUrl ?? "";
  const health = { timeoutMs: wishes.healthTimeoutMs ?? usualHealthTimeoutMs };
  if (found.kind === "fairlead") {
    draft.findings.push(`VLLM_BASE_URL: another Fairlead answers at ${baseUrl}: not used`);
    return;
  }
  const preset = found.kind === "server" ? found.preset : assumedServer.preset;
  const models = "models" in found ? found.models : [];
  if (models.length > 0) {
    const label = found.kind === "server" ? found.label : "a server";
    draft.findings.push(`VLLM_BASE_URL: found ${label} at ${baseUrl} serving ${nameModels(models)}`);
    // A server we do not know may have no other path that tells how it is.
    const known = found.kind === "server";
    const path = known ? {} : { path: `${new URL(baseUrl).pathname}/models` };
    draft.add(preset, { baseUrl, health: { ...health, ...path }, models: listOf(models, wishes) });
    return;
  }
  const { model } = assumedServer;
  draft.findings.push(
    `VLLM_BASE_URL: ${baseUrl} does not list its models yet; assuming that it serves ${model} until it does`,
  );
  draft.assumed.add(draft.add(preset, { baseUrl, health, models: [{ id: model, adequate: wishes.adequate }] }));
}

function addSpot(draft: Draft, spot: Spot, found: Discovery, wishes: Wishes): void {
  const note = (text: string) => draft.findings.push(text);
  if (found.kind === "nothing") note(`looked for ${spot.label} at ${spot.origin}: nothing`);
  else if (found.kind === "fairlead") note(`looked for ${spot.label} at ${spot.origin}: another Fairlead, not used`);
  else if (found.kind !== "server")
    note(`looked for ${spot.label} at ${spot.origin}: something else answers, not used`);
  else if (found.models.length === 0) note(`found ${found.label} at ${spot.origin}, but it serves no model yet`);
  else {
    note(`found ${found.label} at ${spot.origin} serving ${nameModels(found.models)}`);
    const health = wishes.healthTimeoutMs === undefined ? {} : { health: { timeoutMs: wishes.healthTimeoutMs } };
    draft.add(found.preset, { baseUrl: `${spot.origin}/v1`, ...health, models: listOf(found.models, wishes) });
  }
}

function addClouds(draft: Draft, env: Env): void {
  for (const [name, preset] of Object.entries(presets)) {
    if (preset.auth.type === "none") continue;
    const variable = preset.auth.env;
    const isSet = (env[variable] ?? "").trim() !== "";
    if (!usedByKeyAlone.includes(name)) {
      if (isSet)
        draft.findings.push(`${variable} set: to use ${preset.label}, add \`preset: ${name}\` to a config file`);
    } else if (isSet) {
      draft.findings.push(`${variable} set: using ${findPreset(name)?.label}`);
      draft.add(name, {});
    } else draft.findings.push(`${variable} not set: ${preset.label} is not used`);
  }
}

function sameOrigin(a: string, b: string | undefined): boolean {
  const plain = (origin: string) => origin.replace(/\/\/(?:localhost|\[::1\])/, "//127.0.0.1");
  return b !== undefined && plain(a) === plain(b);
}

/**
 * Makes a config from the environment and from what answers on this machine. It holds references to keys, never keys.
 * @throws ConfigError when an environment variable cannot be understood
 */
export async function zeroConfig(options: ZeroConfigOptions = {}): Promise<ZeroConfig> {
  const env = options.env ?? process.env;
  const fetch: GetFetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const wishes = readWishes(env);
  const spots = (options.spots ?? loopbackSpots).filter((spot) => !sameOrigin(spot.origin, wishes.origin));
  const deadlineMs = options.deadlineMs ?? usualDeadlineMs;
  const patienceMs = Math.min(wishes.healthTimeoutMs ?? usualHealthTimeoutMs, usualHealthTimeoutMs);
  const [named, ...found] = await Promise.all([
    wishes.origin === undefined ? undefined : discover(wishes.origin, fetch, patienceMs),
    ...spots.map((spot) => discover(spot.origin, fetch, deadlineMs)),
  ]);
  const draft = new Draft();
  if (named !== undefined) addNamedServer(draft, named, wishes);
  for (const [i, spot] of spots.entries()) addSpot(draft, spot, found[i] ?? { kind: "nothing" }, wishes);
  addClouds(draft, env);
  const guarded = (env["FAIRLEAD_API_KEY"] ?? "").trim() !== "";
  if (guarded) draft.findings.push("FAIRLEAD_API_KEY set: clients must send it");
  return {
    config: { ...(guarded ? { auth: { key: { env: "FAIRLEAD_API_KEY" } } } : {}), upstreams: draft.upstreams },
    findings: draft.findings,
    assumed: draft.assumed,
  };
}
