import { isObject, type JsonObject } from "../lib/json.ts";
import { isName, jsonAt, type ProbeAnswers, positive, type ServedModel } from "./engines/engine.ts";
import { engines } from "./engines/registry.ts";

/** How discovery recognises a server that can be used with a preset. */
export interface Recogniser {
  /** Name of the preset that fits it. */
  readonly preset: string;
  readonly label: string;
  readonly defaultPort: number;
  readonly paths: readonly string[];
  identify(answers: ProbeAnswers): boolean;
  listModels(answers: ProbeAnswers): readonly ServedModel[];
}

const lmStudioList = "/api/v0/models";

function lmStudioModels(answers: ProbeAnswers): readonly JsonObject[] {
  const data = jsonAt(answers, lmStudioList)?.["data"];
  return Array.isArray(data) ? data.filter(isObject) : [];
}

const lmStudio: Recogniser = {
  preset: "lmstudio",
  label: "LM Studio",
  defaultPort: 1234,
  paths: [lmStudioList],
  identify: (answers) =>
    lmStudioModels(answers).some((entry) => isName(entry["state"]) && "compatibility_type" in entry),
  listModels: (answers) =>
    lmStudioModels(answers).flatMap((entry) => {
      if (!isName(entry["id"]) || entry["type"] === "embeddings") return [];
      return [{ id: entry["id"], contextWindow: positive(entry["loaded_context_length"]), adapterOf: undefined }];
    }),
};

/** In the order to try them: the most telling answers first. Others imitate Ollama's API, so it comes last. */
export const recognisers: readonly Recogniser[] = [
  lmStudio,
  ...[engines.sglang, engines.tgi, engines.llamacpp, engines.vllm, engines.ollama].map(
    (engine): Recogniser => ({
      preset: engine.name,
      label: engine.label,
      defaultPort: engine.defaultPort,
      paths: engine.paths,
      identify: engine.identify,
      listModels: engine.listModels,
    }),
  ),
];

/** Presets whose usual port is looked at when there is no config, in this order. */
export const lookedForOnLoopback: readonly string[] = ["ollama", "llamacpp", "vllm", "sglang", "lmstudio"];

/** Cloud presets that are used without a config as soon as their key is in the environment. */
export const usedByKeyAlone: readonly string[] = ["anthropic", "openai", "gemini"];

/** Preset and model id assumed for a server of one's own that was named but does not answer yet. */
export const assumedServer = { preset: "vllm", model: "qwen2.5-7b" } as const;
