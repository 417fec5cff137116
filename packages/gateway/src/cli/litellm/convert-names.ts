import type { FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { defaultAliases } from "../../upstreams/default-aliases.ts";
import { findPreset } from "../../upstreams/presets.ts";
import type { ConversionNotes } from "./conversion.ts";
import type { LitellmConfig } from "./read-litellm.ts";

type Upstreams = Readonly<Record<string, UpstreamConfigInput>>;
type Models = NonNullable<FairleadConfigInput["models"]>;

export interface ConvertedNames {
  readonly names: Pick<FairleadConfigInput, "models" | "aliases">;
  readonly routing: NonNullable<FairleadConfigInput["routing"]>;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:@/-]*$/;
/** It asks our router to decide. */
const reserved = "auto";

/** Converts model groups, their aliases and fallbacks. Names nobody gave are refused, as LiteLLM does. */
export function convertNames(
  litellm: LitellmConfig,
  groups: ReadonlyMap<string, readonly string[]>,
  upstreams: Upstreams,
  notes: ConversionNotes,
): ConvertedNames {
  const models: Models = {};
  for (const [name, targets] of groups) {
    if (isUsable(name, targets, upstreams, notes)) models[name] = { targets: [...targets] };
  }
  const aliases = convertAliases(litellm, models, upstreams, notes);
  const isKnown = (name: string): boolean =>
    Object.hasOwn(models, name) || Object.hasOwn(aliases, name) || servedAsIs(name, upstreams);
  addFallbacks(litellm, models, isKnown, notes);
  const everywhere = [litellm.litellm_settings, litellm.router_settings].flatMap((s) => s?.default_fallbacks ?? []);
  return {
    names: { models, ...(Object.keys(aliases).length > 0 && { aliases }) },
    routing: { unknownModel: "reject", fallback: [...new Set(everywhere.filter(isKnown))] },
  };
}

function isUsable(name: string, targets: readonly string[], upstreams: Upstreams, notes: ConversionNotes): boolean {
  const path = `model_list: ${name}`;
  if (name === reserved) {
    notes.lost(path, "is taken here: it asks the router to decide; give these models another name");
    return false;
  }
  if (!namePattern.test(name)) {
    notes.lost(path, "cannot be a name here: letters, digits and . _ : @ / - that begin with a letter or digit");
    return false;
  }
  const promised = defaultAliases.find((alias) => alias.name === name && alias.name === alias.placement)?.placement;
  if (promised === undefined) return true;
  const stray = targets.find((target) => placementOf(upstreams[target.slice(0, target.indexOf("/"))]) !== promised);
  if (stray !== undefined)
    notes.lost(path, `means models that are ${promised} here, and ${stray} is not: give it another name`);
  return stray === undefined;
}

function placementOf(upstream: UpstreamConfigInput | undefined): string | undefined {
  return upstream?.placement ?? (upstream?.preset === undefined ? undefined : findPreset(upstream.preset)?.placement);
}

/** A model of a whole preset has its own id as name. */
function servedAsIs(name: string, upstreams: Upstreams): boolean {
  return Object.values(upstreams).some(({ preset, models }) =>
    (models ?? (preset === undefined ? [] : (findPreset(preset)?.models ?? []))).some(({ id }) => id === name),
  );
}

function convertAliases(
  { router_settings: router }: LitellmConfig,
  models: Models,
  upstreams: Upstreams,
  notes: ConversionNotes,
): Record<string, string> {
  const aliases: Record<string, string> = {};
  for (const [name, meant] of Object.entries(router?.model_group_alias ?? {})) {
    const path = `router_settings.model_group_alias.${name}`;
    const target = typeof meant === "string" ? meant : meant.model;
    if (!Object.hasOwn(models, target) && !servedAsIs(target, upstreams))
      notes.lost(path, `leads to \`${target}\`, which is not served`);
    else if (Object.hasOwn(models, name)) notes.lost(path, "is a model group as well: the group was kept");
    else if (isUsable(name, models[target]?.targets ?? [], upstreams, notes)) aliases[name] = target;
    if (typeof meant === "object" && meant["hidden"] === true)
      notes.lost(`${path}.hidden`, "is not kept: the name is listed");
  }
  return aliases;
}

function addFallbacks(
  litellm: LitellmConfig,
  models: Models,
  isKnown: (name: string) => boolean,
  notes: ConversionNotes,
): void {
  const sources = [
    ["litellm_settings.fallbacks", litellm.litellm_settings?.fallbacks],
    ["router_settings.fallbacks", litellm.router_settings?.fallbacks],
    ["litellm_settings.context_window_fallbacks", litellm.litellm_settings?.context_window_fallbacks],
    ["router_settings.context_window_fallbacks", litellm.router_settings?.context_window_fallbacks],
  ] as const;
  for (const [path, list] of sources) {
    for (const [name, wanted] of (list ?? []).flatMap((entry) => Object.entries(entry))) {
      const route = Object.hasOwn(models, name) ? models[name] : undefined;
      if (route === undefined) {
        notes.lost(`${path}: ${name}`, "is no model group that was imported");
        continue;
      }
      for (const missing of wanted.filter((other) => !isKnown(other))) {
        notes.lost(`${path}: ${name}`, `leads to \`${missing}\`, which is not served`);
      }
      const fallback = [...(route.fallback ?? []), ...wanted.filter(isKnown)];
      if (fallback.length > 0) models[name] = { ...route, fallback: [...new Set(fallback)] };
    }
    if (path.endsWith("context_window_fallbacks") && (list ?? []).length > 0) {
      notes.lost(path, "joined the other fallbacks: a target whose window is too small is left out before it is asked");
    }
  }
}
