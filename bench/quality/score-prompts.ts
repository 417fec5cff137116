import { type ChatRequest, emptyChat } from "../../packages/gateway/src/core/chat.ts";
import { extractFeatures } from "../../packages/gateway/src/routing/features/extract-features.ts";
import { seededRandom } from "./seeded-random.ts";

/** A chat of one user message, as most benchmarks send it. */
export function requestOf(prompt: string): ChatRequest {
  return {
    ...emptyChat,
    messages: [{ role: "user", content: [{ type: "text", text: prompt }] }],
  };
}

/** Each router's scores of the prompts, in their order. */
export function scorePrompts(prompts: readonly string[]): Readonly<Record<string, Float64Array>> {
  const random = seededRandom(1);
  const features = prompts.map((prompt) => extractFeatures(requestOf(prompt)));
  return {
    random: Float64Array.from(prompts, () => random()),
    length: Float64Array.from(prompts, (prompt) => prompt.length),
    complexity_rules: Float64Array.from(features, ({ complexityRules }) => complexityRules),
    complexity: Float64Array.from(features, ({ complexity }) => complexity),
  };
}
