import { findPreset } from "./presets.ts";

/** What stands behind a model string of LiteLLM. */
export type LitellmProvider =
  /** A preset of ours, which knows its address unless one is given. */
  | { readonly kind: "preset"; readonly preset: string; readonly model: string }
  /** Any server with the chat completions API, at the address given. */
  | { readonly kind: "compatible"; readonly model: string }
  /** The chat completions API below `path` of a resource's address, with the key in a header of its own. */
  | { readonly kind: "resource"; readonly path: string; readonly keyHeader: string; readonly model: string }
  | { readonly kind: "unsupported"; readonly provider: string };

/** Prefixes that mean a preset of another name. Those of the same name need no entry. */
const renamed: Readonly<Record<string, string>> = {
  together_ai: "together",
  fireworks_ai: "fireworks",
  hosted_vllm: "vllm",
  ollama_chat: "ollama",
  lm_studio: "lmstudio",
  huggingface_tgi: "tgi",
};

/** Where LiteLLM's `organization` goes. */
export const organizationHeader = "openai-organization";

const compatible: ReadonlySet<string> = new Set(["openai_like", "custom_openai", "litellm_proxy", "llamafile"]);

/** Model ids without a prefix whose maker LiteLLM knows. */
const unprefixed: readonly (readonly [RegExp, string])[] = [
  [/^(?:gpt-|chatgpt-|o[1-9](?:-|$)|ft:)/, "openai"],
  [/^claude-/, "anthropic"],
];

/** Finds the provider of `litellm_params.model`, given the address and provider that stand beside it. */
export function litellmProvider(
  model: string,
  custom: string | undefined,
  apiBase: string | undefined,
): LitellmProvider {
  const slash = model.indexOf("/");
  const prefix = slash === -1 ? undefined : model.slice(0, slash);
  const guessed = unprefixed.find(([pattern]) => pattern.test(model))?.[1];
  const provider = custom ?? prefix ?? guessed;
  if (provider === undefined) return { kind: "unsupported", provider: "(none)" };
  const id = provider === prefix ? model.slice(slash + 1) : model;
  if (provider === "azure" || provider === "azure_ai") {
    return { kind: "resource", path: "/openai/v1", keyHeader: "api-key", model: id };
  }
  if (compatible.has(provider)) return { kind: "compatible", model: id };
  // With an address of its own this prefix only names the API's shape.
  if (provider === "openai" && apiBase !== undefined && !isAt(apiBase, "openai"))
    return { kind: "compatible", model: id };
  const preset = Object.hasOwn(renamed, provider) ? renamed[provider]! : provider;
  return findPreset(preset) === undefined ? { kind: "unsupported", provider } : { kind: "preset", preset, model: id };
}

function isAt(apiBase: string, preset: string): boolean {
  const usual = findPreset(preset)?.baseUrl;
  return usual !== undefined && URL.canParse(apiBase) && new URL(apiBase).host === new URL(usual).host;
}
