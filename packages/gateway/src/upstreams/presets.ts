import { type Capability, capabilities, type ProtocolName } from "@fairlead/contract/names";
import { engines } from "./engines/registry.ts";
import type { KnownModel, Preset } from "./preset.ts";

/** A cloud model nobody told us about may well do everything; refusing it for a guess would be worse. */
const assumeCapable = capabilities;
const toolsAndJson = ["tools", "json_schema"] as const satisfies readonly Capability[];

function model(
  id: string,
  contextWindow: number,
  maxOutputTokens: number | undefined,
  can: readonly Capability[],
): KnownModel {
  return { id, contextWindow, capabilities: can, ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }) };
}

const claude = ["tools", "vision", "json_schema", "reasoning", "pdf"] as const satisfies readonly Capability[];
const gpt4 = ["tools", "vision", "json_schema", "pdf", "logprobs", "n"] as const satisfies readonly Capability[];
const gpt5 = ["tools", "vision", "json_schema", "reasoning", "pdf", "n"] as const satisfies readonly Capability[];
const gemini = ["tools", "vision", "json_schema", "audio_in", "n"] as const satisfies readonly Capability[];
const geminiThinking = [...gemini, "reasoning"] as const satisfies readonly Capability[];

/** A cloud provider that speaks the chat completions API and takes its key as a bearer token. */
function openaiStyle(
  label: string,
  baseUrl: string,
  env: string,
  models: readonly KnownModel[] = [],
  more: { readonly flagship?: string; readonly listsModels?: boolean } = {},
): Preset {
  return {
    label,
    placement: "cloud",
    protocol: "openai-chat",
    baseUrl,
    auth: { type: "bearer", env },
    listsModels: more.listsModels ?? true,
    models,
    defaultCapabilities: assumeCapable,
    ...(more.flagship === undefined ? {} : { flagship: more.flagship }),
  };
}

/** A server of one's own on its engine's usual port. Its models are its operator's, so none are known. */
function selfHosted(engine: keyof typeof engines, defaultCapabilities: readonly Capability[]): Preset {
  return {
    label: engines[engine].label,
    placement: "local",
    protocol: "openai-chat",
    engine,
    baseUrl: `http://127.0.0.1:${engines[engine].defaultPort}/v1`,
    auth: { type: "none" },
    listsModels: true,
    models: [],
    defaultCapabilities,
  };
}

/**
 * Providers and engines by the name that `preset:` takes. A provider with a known protocol is one entry here and nothing
 * else. Window and output sizes are the providers' published figures; override them per model in the config.
 * @see docs/spec/wire-formats.md 1.1
 */
export const presets: Readonly<Record<string, Preset>> = {
  anthropic: {
    label: "Anthropic",
    placement: "cloud",
    protocol: "anthropic-messages",
    baseUrl: "https://api.anthropic.com/v1",
    auth: { type: "header", name: "x-api-key", env: "ANTHROPIC_API_KEY" },
    listsModels: true,
    modelsQuery: "?limit=1000",
    probeHeaders: { "anthropic-version": "2023-06-01" },
    models: [
      model("claude-opus-4-8", 1_000_000, 128_000, claude),
      model("claude-sonnet-4-6", 1_000_000, 128_000, claude),
      model("claude-haiku-4-5-20251001", 200_000, 64_000, [...claude, "prefill"]),
    ],
    flagship: "claude-opus-4-8",
    defaultCapabilities: claude,
  },
  openai: openaiStyle(
    "OpenAI",
    "https://api.openai.com/v1",
    "OPENAI_API_KEY",
    [
      model("gpt-4o", 128_000, 16_384, gpt4),
      model("gpt-4o-mini", 128_000, 16_384, gpt4),
      model("gpt-4.1", 1_047_576, 32_768, gpt4),
      model("gpt-4.1-mini", 1_047_576, 32_768, gpt4),
      model("gpt-4.1-nano", 1_047_576, 32_768, gpt4),
      model("gpt-5", 400_000, 128_000, gpt5),
      model("gpt-5-mini", 400_000, 128_000, gpt5),
      model("gpt-5-nano", 400_000, 128_000, gpt5),
    ],
    { flagship: "gpt-5" },
  ),
  gemini: openaiStyle(
    "Google Gemini",
    "https://generativelanguage.googleapis.com/v1beta/openai",
    "GEMINI_API_KEY",
    [
      model("gemini-2.5-pro", 1_048_576, 65_536, geminiThinking),
      model("gemini-2.5-flash", 1_048_576, 65_536, geminiThinking),
      model("gemini-2.5-flash-lite", 1_048_576, 65_536, geminiThinking),
      model("gemini-1.5-pro", 2_097_152, 8_192, gemini),
    ],
    { flagship: "gemini-2.5-pro" },
  ),
  mistral: openaiStyle(
    "Mistral",
    "https://api.mistral.ai/v1",
    "MISTRAL_API_KEY",
    [
      model("mistral-large-latest", 128_000, undefined, [...toolsAndJson, "n"]),
      model("mistral-small-latest", 128_000, undefined, [...toolsAndJson, "vision", "n"]),
    ],
    { flagship: "mistral-large-latest" },
  ),
  groq: openaiStyle(
    "Groq",
    "https://api.groq.com/openai/v1",
    "GROQ_API_KEY",
    [
      model("llama-3.3-70b-versatile", 131_072, 32_768, ["tools"]),
      model("openai/gpt-oss-120b", 131_072, 65_536, [...toolsAndJson, "reasoning"]),
    ],
    { flagship: "openai/gpt-oss-120b" },
  ),
  deepseek: openaiStyle(
    "DeepSeek",
    "https://api.deepseek.com/v1",
    "DEEPSEEK_API_KEY",
    [
      model("deepseek-chat", 128_000, 8_192, ["tools", "logprobs"]),
      model("deepseek-reasoner", 128_000, 65_536, ["tools", "reasoning"]),
    ],
    { flagship: "deepseek-reasoner" },
  ),
  xai: openaiStyle(
    "xAI",
    "https://api.x.ai/v1",
    "XAI_API_KEY",
    [model("grok-4", 256_000, undefined, [...toolsAndJson, "vision", "reasoning"])],
    { flagship: "grok-4" },
  ),
  perplexity: openaiStyle(
    "Perplexity",
    "https://api.perplexity.ai",
    "PERPLEXITY_API_KEY",
    [
      model("sonar", 128_000, undefined, ["json_schema", "vision"]),
      model("sonar-pro", 200_000, undefined, ["json_schema", "vision"]),
    ],
    { flagship: "sonar-pro", listsModels: false },
  ),
  // Resellers of many models: name the ones you use.
  together: openaiStyle("Together AI", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
  fireworks: openaiStyle("Fireworks AI", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
  openrouter: {
    ...openaiStyle("OpenRouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    routesItself: true,
  },
  cerebras: openaiStyle("Cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
  nebius: openaiStyle("Nebius", "https://api.studio.nebius.com/v1", "NEBIUS_API_KEY"),

  vllm: selfHosted("vllm", [...toolsAndJson, "logprobs", "n"]),
  llamacpp: selfHosted("llamacpp", [...toolsAndJson, "logprobs"]),
  ollama: selfHosted("ollama", toolsAndJson),
  sglang: selfHosted("sglang", [...toolsAndJson, "logprobs", "n"]),
  tgi: selfHosted("tgi", [...toolsAndJson, "logprobs"]),
  lmstudio: {
    label: "LM Studio",
    placement: "local",
    protocol: "openai-chat",
    baseUrl: "http://127.0.0.1:1234/v1",
    auth: { type: "none" },
    listsModels: true,
    models: [],
    defaultCapabilities: toolsAndJson,
  },
};

/** Returns the preset of that exact name, if there is one. */
export function findPreset(name: string): Preset | undefined {
  return Object.hasOwn(presets, name) ? presets[name] : undefined;
}

/** Capabilities assumed for a model that neither config nor preset describe. */
export const guessedCapabilities = { local: toolsAndJson, cloud: assumeCapable } as const;

/** How any server of a protocol is asked for its models, where no preset says otherwise. */
export const modelsProbeOf: Readonly<Record<ProtocolName, Pick<Preset, "modelsQuery" | "probeHeaders">>> = {
  "openai-chat": {},
  "anthropic-messages": { modelsQuery: "?limit=1000", probeHeaders: { "anthropic-version": "2023-06-01" } },
};

/** Whose quirks apply to an upstream that names neither preset nor engine. */
export const providerOfProtocol = {
  "openai-chat": "openai-compatible",
  "anthropic-messages": "anthropic-compatible",
} as const satisfies Record<ProtocolName, string>;
