import type { DeploymentConfigInput, FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import type { Capability } from "@fairlead/contract/names";
import { findPreset, guessedCapabilities } from "../../upstreams/presets.ts";
import { ConversionNotes } from "./conversion.ts";
import { convertBudgets } from "./convert-budgets.ts";
import { convertNames } from "./convert-names.ts";
import { convertPrice } from "./convert-price.ts";
import { convertSettings } from "./convert-settings.ts";
import { type ConvertedTarget, convertUpstream } from "./convert-upstream.ts";
import type { LitellmConfig, LitellmModel } from "./read-litellm.ts";

/** A config of ours and what it lost on the way. */
export interface Conversion {
  readonly config: FairleadConfigInput;
  readonly notes: ConversionNotes;
}

interface OpenUpstream {
  readonly name: string;
  readonly config: UpstreamConfigInput;
  /** What entries must have in common to share it. */
  readonly identity: string;
  readonly models: Map<string, DeploymentConfigInput>;
  /** Every model that the preset knows is served. */
  isWhole: boolean;
}

/** Modes of a model that this gateway serves. */
const chatModes: ReadonlySet<string> = new Set(["chat", "completion"]);

/** Converts what has a counterpart and notes what has none. Order is kept: targets are tried as they are listed. */
export function convertLitellm(litellm: LitellmConfig): Conversion {
  const notes = new ConversionNotes();
  const upstreams: OpenUpstream[] = [];
  /** Public name → references to its targets. */
  const groups = new Map<string, string[]>();
  const overrides: NonNullable<NonNullable<FairleadConfigInput["pricing"]>["overrides"]> = [];
  const limits: Record<string, NonNullable<FairleadConfigInput["limits"]>[string]> = {};
  const taken = litellm.model_list.map(({ model_name }) => model_name);
  for (const [i, entry] of litellm.model_list.entries()) {
    const path = `model_list[${i}]`;
    const target = convertEntry(entry, path, litellm, notes);
    if (target === undefined) continue;
    const limit = limitOf(entry);
    // A limit of LiteLLM's is the deployment's own; ours are an upstream's, so it gets one to itself.
    const identity = JSON.stringify([target.upstream, limit === undefined ? undefined : i]);
    const upstream = openUpstream(upstreams, target, identity, taken);
    if (limit !== undefined) limits[upstream.name] = { scope: { upstream: upstream.name }, ...limit };
    if (target.isWildcard) {
      upstream.isWhole = true;
      notes.lost(
        `${path}.model_name`,
        "is a pattern: the models that Fairlead knows of this provider are served by their own names",
      );
      continue;
    }
    if (!upstream.models.has(target.model)) upstream.models.set(target.model, deploymentOf(entry, target));
    const group = groups.get(entry.model_name) ?? [];
    const reference = `${upstream.name}/${target.model}`;
    if (!group.includes(reference)) groups.set(entry.model_name, [...group, reference]);
    const price = convertPrice(entry, target.model, upstream.name);
    if (
      price !== undefined &&
      !overrides.some(({ model, upstream }) => model === price.model && upstream === price.upstream)
    )
      overrides.push(price);
  }
  const made = Object.fromEntries(upstreams.map((upstream) => [upstream.name, finished(upstream)]));
  const { names, routing } = convertNames(litellm, groups, made, notes);
  const settings = convertSettings(litellm, notes);
  const budgets = convertBudgets(litellm, made, notes);
  noteUnknownSections(litellm, notes);
  return {
    config: {
      ...settings.config,
      upstreams: made,
      ...names,
      routing: { ...routing, ...settings.routing },
      ...(overrides.length > 0 && { pricing: { overrides } }),
      ...(Object.keys(limits).length > 0 && { limits }),
      ...(Object.keys(budgets).length > 0 && { budgets }),
    },
    notes,
  };
}

function convertEntry(
  entry: LitellmModel,
  path: string,
  litellm: LitellmConfig,
  notes: ConversionNotes,
): ConvertedTarget | undefined {
  const mode = entry.model_info?.mode ?? undefined;
  if (mode !== undefined && !chatModes.has(mode)) {
    notes.lost(`${path}.model_info.mode`, `is \`${mode}\`, and Fairlead serves chat: this entry was left out`);
    return undefined;
  }
  notes.lostMembers(path, entry, ["model_name", "litellm_params", "model_info", "rpm", "tpm"], "has no counterpart");
  const target = convertUpstream(entry, path, litellm, notes);
  if (target === undefined) return undefined;
  const preset = target.upstream.preset === undefined ? undefined : findPreset(target.upstream.preset);
  const isPattern = target.model.includes("*");
  if (isPattern && !(target.isWildcard && (preset?.models.length ?? 0) > 0)) {
    notes.lost(
      `${path}.litellm_params.model`,
      "is a pattern over models nobody lists: name each of them; this entry was left out",
    );
    return undefined;
  }
  return target;
}

/** Finds the upstream that entries of this identity share, or makes it under a name that is free. */
function openUpstream(
  upstreams: OpenUpstream[],
  { label, upstream: config }: ConvertedTarget,
  identity: string,
  taken: readonly string[],
): OpenUpstream {
  const known = upstreams.find((upstream) => upstream.identity === identity);
  if (known !== undefined) return known;
  // `<upstream>/<model>` is a name too, and may not be one of the public ones.
  const stem = taken.some((name) => name.startsWith(`${label}/`)) ? `${label}-api` : label;
  let name = stem;
  for (let n = 2; upstreams.some((upstream) => upstream.name === name); n++) name = `${stem}-${n}`;
  const made: OpenUpstream = { name, config, identity, models: new Map(), isWhole: false };
  upstreams.push(made);
  return made;
}

function finished({ config, models, isWhole }: OpenUpstream): UpstreamConfigInput {
  const preset = config.preset === undefined ? undefined : findPreset(config.preset);
  const known = isWhole ? (preset?.models ?? []) : [];
  const all = new Map([...known.map(({ id }) => [id, { id }] as const), ...models]);
  // A preset serves its usual models unless told otherwise.
  const isUsual = isWhole && all.size === known.length && models.size === 0;
  return isUsual ? config : { ...config, models: [...all.values()] };
}

function deploymentOf(
  { model_info: info }: LitellmModel,
  { model: id, upstream }: ConvertedTarget,
): DeploymentConfigInput {
  const output = info?.max_output_tokens ?? undefined;
  const input = info?.max_input_tokens ?? undefined;
  return {
    id,
    ...(input !== undefined && { contextWindow: Math.max(input, output ?? 0) }),
    ...(output !== undefined && { maxOutputTokens: output }),
    ...capabilitiesOf(info ?? {}, id, upstream),
  };
}

const capabilityOf: Readonly<Record<string, Capability>> = {
  supports_vision: "vision",
  supports_function_calling: "tools",
  supports_response_schema: "json_schema",
  supports_reasoning: "reasoning",
  supports_pdf_input: "pdf",
  supports_audio_input: "audio_in",
  supports_audio_output: "audio_out",
  supports_assistant_prefill: "prefill",
};

/** Adds what the file says a model can do to what is assumed of it anyway. */
function capabilitiesOf(
  info: object,
  id: string,
  { preset: name, placement }: UpstreamConfigInput,
): Pick<DeploymentConfigInput, "capabilities"> {
  const preset = name === undefined ? undefined : findPreset(name);
  const known = preset?.models.find((model) => model.id === id)?.capabilities ?? preset?.defaultCapabilities;
  const assumed = known ?? guessedCapabilities[placement ?? "cloud"];
  const told = Object.entries(info).flatMap(([member, value]) => (value === true ? (capabilityOf[member] ?? []) : []));
  const more = told.filter((capability) => !assumed.some((one) => one === capability));
  return more.length === 0 ? {} : { capabilities: [...assumed, ...more] };
}

function limitOf({ litellm_params: params, ...entry }: LitellmModel) {
  const { max_parallel_requests: parallel } = params;
  const rpm = params.rpm ?? entry.rpm;
  const tpm = params.tpm ?? entry.tpm;
  if (rpm == null && tpm == null && parallel == null) return undefined;
  return {
    ...(rpm != null && { requestsPerMinute: Math.max(1, Math.floor(rpm)) }),
    ...(tpm != null && { tokensPerMinute: Math.max(1, Math.floor(tpm)) }),
    ...(parallel != null && { concurrency: Math.max(1, Math.floor(parallel)) }),
  };
}

const sections = ["model_list", "router_settings", "litellm_settings", "general_settings", "environment_variables"];

function noteUnknownSections(litellm: LitellmConfig, notes: ConversionNotes): void {
  if (litellm["environment_variables"] != null) {
    notes.lost("environment_variables", "are not set by Fairlead: put them into the environment it starts in");
  }
  if (litellm["include"] != null) notes.lost("include", "was not followed: import each file by itself");
  for (const [name, section] of Object.entries(litellm)) {
    if (!sections.includes(name) && name !== "include" && section != null) notes.lost(name, "has no counterpart");
  }
}
