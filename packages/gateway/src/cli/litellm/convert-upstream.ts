import type { UpstreamConfigInput } from "@fairlead/contract/config-schema";
import type { Placement } from "@fairlead/contract/names";
import { isLoopback } from "../../config/check-bind.ts";
import { type LitellmProvider, litellmProvider, organizationHeader } from "../../upstreams/litellm-provider.ts";
import { findPreset } from "../../upstreams/presets.ts";
import type { ConversionNotes } from "./conversion.ts";
import { environmentReference, variableName } from "./environment-reference.ts";
import type { LitellmConfig, LitellmModel } from "./read-litellm.ts";

/** One entry of `model_list` in our terms: an upstream without models, and the model's id there. */
export interface ConvertedTarget {
  /** What the upstream may be called. */
  readonly label: string;
  readonly upstream: UpstreamConfigInput;
  readonly model: string;
  /** Every model of the provider is meant. */
  readonly isWildcard: boolean;
}

const longestMs = 86_400_000;
const usedParams = [
  ...["model", "api_base", "base_url", "api_key", "custom_llm_provider", "rpm", "tpm", "max_parallel_requests"],
  ...["timeout", "stream_timeout", "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"],
  ...["cache_creation_input_token_cost", "extra_headers", "organization", "drop_params", "api_version"],
];

/** Converts where one entry leads; undefined, with a note, where we cannot follow. */
export function convertUpstream(
  { litellm_params: params }: LitellmModel,
  path: string,
  config: LitellmConfig,
  notes: ConversionNotes,
): ConvertedTarget | undefined {
  const here = `${path}.litellm_params`;
  const apiBase = params.api_base ?? params.base_url ?? undefined;
  const provider = litellmProvider(params.model, params.custom_llm_provider ?? undefined, apiBase);
  if (provider.kind === "unsupported") {
    notes.lost(`${here}.model`, `the provider \`${provider.provider}\` has no counterpart: this entry was left out`);
    return undefined;
  }
  if (provider.kind !== "preset" && apiBase === undefined) {
    notes.lost(`${here}.api_base`, "is missing, and nothing else says where this model is: this entry was left out");
    return undefined;
  }
  notes.lostMembers(here, params, usedParams, "Fairlead sends what the client sent: set it in the client");
  const label = labelOf(provider, apiBase);
  const headers = headersOf(params, here, notes);
  const timeouts = timeoutsOf(params, config);
  return {
    label,
    upstream: {
      ...addressOf(provider, apiBase, here, notes),
      ...authOf(provider, params.api_key ?? undefined, label, here, notes),
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(Object.keys(timeouts).length > 0 && { timeouts }),
    },
    model: provider.model,
    isWildcard: provider.model === "*",
  };
}

type Known = Exclude<LitellmProvider, { kind: "unsupported" }>;

function labelOf(provider: Known, apiBase: string | undefined): string {
  if (provider.kind === "preset") return provider.preset;
  const host = apiBase !== undefined && URL.canParse(apiBase) ? new URL(apiBase).hostname : "";
  const label = host.split(".")[0] ?? "";
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(label) ? label : "server";
}

function addressOf(
  provider: Known,
  apiBase: string | undefined,
  here: string,
  notes: ConversionNotes,
): UpstreamConfigInput {
  const variable = apiBase === undefined ? undefined : environmentReference(apiBase);
  if (variable !== undefined) notes.variables.set(variable, "address of an upstream");
  const base = variable === undefined ? plainAddress(apiBase, here, notes)?.replace(/\/+$/, "") : `\${${variable}}`;
  if (provider.kind === "preset") {
    const usual = findPreset(provider.preset)?.baseUrl;
    const full = base === undefined ? undefined : withPathOf(base, usual);
    return { preset: provider.preset, ...(full !== undefined && full !== usual && { baseUrl: full }) };
  }
  if (provider.kind === "resource") {
    notes.lost(
      `${here}.api_base`,
      `is used through the resource's own chat completions API (\`${provider.path}\`), with the deployment's name as model; check that your resource has it`,
    );
    return { placement: "cloud", protocol: "openai-chat", baseUrl: `${base}${provider.path}`, health: false };
  }
  const placement = variable === undefined && base !== undefined ? placementOf(base) : "cloud";
  if (variable !== undefined)
    notes.lost(`${here}.api_base`, "is taken for a cloud server: say `placement: local` if it is yours");
  return { placement, protocol: "openai-chat", baseUrl: base ?? "" };
}

/** An address here holds neither a name and password nor a query: each may be a secret, and is left out with a note. */
function plainAddress(apiBase: string | undefined, here: string, notes: ConversionNotes): string | undefined {
  if (apiBase === undefined || !URL.canParse(apiBase)) return apiBase;
  const url = new URL(apiBase);
  const hasUser = url.username !== "" || url.password !== "";
  const hasQuery = url.search !== "" || url.hash !== "";
  if (!hasUser && !hasQuery) return apiBase;
  const lost = (what: string, instead: string): void =>
    notes.lost(`${here}.api_base`, `holds ${what}, which was not copied: ${instead}`);
  if (hasUser) lost("a name or password", "give it under `auth`, from the environment");
  if (hasQuery) lost("a query or fragment", "an address here ends with its path");
  return `${url.origin}${url.pathname}`;
}

/** LiteLLM adds the API's path to a bare host; we want it in the address. */
function withPathOf(base: string, usual: string | undefined): string {
  if (usual === undefined || !URL.canParse(base) || new URL(base).pathname !== "/") return base;
  return `${base}${new URL(usual).pathname.replace(/\/+$/, "")}`;
}

const privateAddress = /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.)/;
const privateName = /\.(?:local|internal|lan|svc|cluster\.local|home\.arpa)$/;

/** What has a name or an address that only means something inside a network is taken for one's own. */
function placementOf(baseUrl: string): Placement {
  if (!URL.canParse(baseUrl)) return "cloud";
  const host = new URL(baseUrl).hostname;
  const isOwn = isLoopback(host) || !host.includes(".") || privateAddress.test(host) || privateName.test(host);
  return isOwn ? "local" : "cloud";
}

function authOf(
  provider: Known,
  apiKey: string | undefined,
  label: string,
  here: string,
  notes: ConversionNotes,
): Pick<UpstreamConfigInput, "auth"> {
  const preset = provider.kind === "preset" ? findPreset(provider.preset) : undefined;
  if (apiKey === undefined) {
    if (preset !== undefined && preset.auth.type !== "none") notes.variables.set(preset.auth.env, `key of ${label}`);
    return {};
  }
  const env = environmentReference(apiKey) ?? literalKey(apiKey, label, here, notes);
  notes.variables.set(env, `key of ${label}`);
  if (provider.kind === "resource") return { auth: { type: "header", name: provider.keyHeader, key: { env } } };
  const usual = preset?.auth;
  if (usual !== undefined && usual.type !== "none" && usual.env === env) return {};
  return usual?.type === "header"
    ? { auth: { type: "header", name: usual.name, key: { env } } }
    : { auth: { type: "bearer", key: { env } } };
}

function literalKey(key: string, label: string, here: string, notes: ConversionNotes): string {
  const name = notes.variableFor(key, variableName(label, "api_key"));
  notes.lost(`${here}.api_key`, `is a key in the file itself: it was not copied; set it as ${name}`);
  return name;
}

function headersOf(
  params: LitellmModel["litellm_params"],
  here: string,
  notes: ConversionNotes,
): Record<string, string> {
  const headers: Record<string, string> = {};
  const extra = params["extra_headers"];
  if (typeof extra === "object" && extra !== null) {
    for (const [name, value] of Object.entries(extra)) {
      const variable = typeof value === "string" ? environmentReference(value) : undefined;
      if (variable !== undefined) headers[name] = `\${${variable}}`;
      else if (typeof value === "string" && !/auth|key|token|secret/i.test(name)) headers[name] = value;
      else notes.lost(`${here}.extra_headers.${name}`, "may be a secret: it was not copied");
      if (variable !== undefined) notes.variables.set(variable, `header ${name}`);
    }
  }
  const { organization } = params;
  if (typeof organization === "string") {
    const variable = environmentReference(organization);
    if (variable !== undefined) notes.variables.set(variable, "organization");
    headers[organizationHeader] = variable === undefined ? organization : `\${${variable}}`;
  }
  return headers;
}

function timeoutsOf(
  params: LitellmModel["litellm_params"],
  { litellm_settings: settings, router_settings: router }: LitellmConfig,
): NonNullable<UpstreamConfigInput["timeouts"]> {
  const inMs = (seconds: number): number => Math.min(longestMs, Math.max(1, Math.round(seconds * 1000)));
  const total = params.timeout ?? router?.timeout ?? settings?.request_timeout ?? settings?.timeout ?? undefined;
  const first = params.stream_timeout ?? undefined;
  return {
    ...(total !== undefined && { totalMs: inMs(total) }),
    ...(first !== undefined && { firstContentMs: Math.min(inMs(first), total === undefined ? 600_000 : inMs(total)) }),
  };
}
