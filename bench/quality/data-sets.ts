import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ModelPair } from "./router-metrics.ts";

/** A weak and a strong model's name, as the file's header has them. */
type PairNames = readonly [weak: string, strong: string];

interface SetPlan {
  readonly file: string;
  readonly pairs: readonly PairNames[];
}

const mixtralAndGpt4: PairNames = ["mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"];

/** Pairs as people would run them: a model for one card at home, and one of a cloud or of a whole machine. */
const plans: readonly SetPlan[] = [
  { file: "routellm_mmlu", pairs: [mixtralAndGpt4] },
  { file: "routellm_gsm8k", pairs: [mixtralAndGpt4] },
  {
    file: "zeroeval_gsm",
    pairs: [
      ["Meta-Llama-3-8B-Instruct", "gpt-4o-2024-08-06"],
      ["Mixtral-8x7B-Instruct-v0.1", "claude-3-5-sonnet-20240620"],
      ["Qwen2-7B-Instruct", "Meta-Llama-3.1-70B-Instruct"],
      ["Mistral-Nemo-Instruct-2407", "o1-mini-2024-09-12"],
    ],
  },
  {
    file: "zeroeval_crux",
    pairs: [
      ["Meta-Llama-3.1-8B-Instruct", "gpt-4o-2024-08-06"],
      ["Mixtral-8x7B-Instruct-v0.1", "claude-3-5-sonnet-20240620"],
      ["Qwen2.5-7B-Instruct", "Qwen2.5-72B-Instruct"],
      ["Meta-Llama-3-8B-Instruct", "o1-mini-2024-09-12"],
      ["Phi-3.5-mini-instruct", "gemini-1.5-pro"],
      ["gemma-2-9b-it", "Mistral-Large-2"],
    ],
  },
  {
    file: "llmrouter9_train",
    pairs: [
      ["llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"],
      ["qwen2.5-7b-instruct", "llama-3.3-nemotron-super-49b-v1"],
      ["mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"],
      ["gemma-2-9b-it", "llama-3.1-nemotron-51b-instruct"],
    ],
  },
];

/** Prompts in the file's order, with what each pair of models made of them. */
export interface PromptSet {
  readonly name: string;
  readonly tasks: readonly string[];
  readonly prompts: readonly string[];
  readonly pairNames: readonly PairNames[];
  readonly pairs: readonly ModelPair[];
}

interface Line {
  readonly task: string;
  readonly prompt: string;
  readonly y: string | readonly number[];
}

function loadSet(folder: string, { file, pairs }: SetPlan): PromptSet {
  const text = gunzipSync(readFileSync(join(folder, `${file}.jsonl.gz`))).toString();
  const [header = "{}", ...rest] = text.trimEnd().split("\n");
  const { models } = JSON.parse(header) as { models: string[] };
  const lines = rest.map((line) => JSON.parse(line) as Line);
  const column = (model: string): Float64Array => {
    const at = models.indexOf(model);
    if (at < 0) throw new Error(`${file} has no model ${model}.`);
    return Float64Array.from(lines, ({ y }) => Number(y[at]));
  };
  return {
    name: file,
    tasks: lines.map(({ task }) => task),
    prompts: lines.map(({ prompt }) => prompt),
    pairNames: pairs,
    pairs: pairs.map(([weak, strong]) => ({ weak: column(weak), strong: column(strong) })),
  };
}

/** Reads the sets that are there. */
export function loadSets(folder: string): PromptSet[] {
  return plans.filter(({ file }) => existsSync(join(folder, `${file}.jsonl.gz`))).map((plan) => loadSet(folder, plan));
}

/** The prompts of a set whose place is asked for. */
export function partOf(set: PromptSet, name: string, keep: (index: number) => boolean): PromptSet {
  const places = set.prompts.map((_, index) => index).filter(keep);
  const pick = (values: Float64Array): Float64Array => Float64Array.from(places, (place) => values[place] ?? 0);
  return {
    name,
    tasks: places.map((place) => set.tasks[place] ?? ""),
    prompts: places.map((place) => set.prompts[place] ?? ""),
    pairNames: set.pairNames,
    pairs: set.pairs.map(({ weak, strong }) => ({ weak: pick(weak), strong: pick(strong) })),
  };
}
