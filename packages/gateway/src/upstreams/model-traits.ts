import type { Placement } from "@fairlead/contract/names";
import type { DeploymentWeights } from "../core/deployment.ts";

/** What is known of a model by its name, until it is measured or the config says otherwise. */
export interface ModelTraits {
  readonly tags: readonly string[];
  readonly weights: DeploymentWeights;
}

interface Family {
  readonly name: RegExp;
  readonly tags: readonly string[];
  readonly weights: DeploymentWeights;
}

const weights = (cost: number, latency: number, quality: number): DeploymentWeights => ({ cost, latency, quality });

/** Cloud models people use most, best first in each row of quality; the first that matches holds. */
const families: readonly Family[] = [
  { name: /opus/i, tags: ["premium"], weights: weights(0.1, 0.4, 0.97) },
  { name: /gemini.*pro|grok-4(?!.*(fast|mini))/i, tags: ["premium"], weights: weights(0.35, 0.4, 0.93) },
  { name: /sonnet/i, tags: ["premium"], weights: weights(0.3, 0.5, 0.92) },
  { name: /gpt-5(?!.*(mini|nano))|(^|\/)o[134](?!.*mini)/i, tags: ["premium"], weights: weights(0.3, 0.35, 0.94) },
  { name: /nano|flash-lite/i, tags: ["cheap"], weights: weights(0.95, 0.9, 0.55) },
  { name: /haiku|mini|flash|lite/i, tags: ["cheap"], weights: weights(0.8, 0.8, 0.72) },
  { name: /gpt-4|large|command-r-plus|deepseek-(chat|v3|reasoner|r1)/i, tags: [], weights: weights(0.5, 0.5, 0.82) },
];

const coder = /coder|codestral|starcoder|code-?llama|codegemma|devstral/i;

/** Quality of an open model grows with the logarithm of its size: 1B 0.35, 7B 0.53, 70B 0.74, 400B 0.90. */
function qualityOfSize(billions: number): number {
  return Math.min(0.9, Math.max(0.2, 0.35 + 0.0917 * Math.log(billions)));
}

/** Parameters in billions as a name tells them: `qwen2.5-7b`, `Mixtral-8x7B`; undefined when it does not. */
function sizeOf(model: string): number | undefined {
  const match = /(?:^|[^a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])/i.exec(model);
  return match === null ? undefined : Number(match[1] ?? 1) * Number(match[2]);
}

/** Guesses what a model is good for. A guess orders equals; it never decides against a measurement or a price. */
export function modelTraits(model: string, placement: Placement): ModelTraits {
  const code = coder.test(model) ? ["code"] : [];
  const size = sizeOf(model);
  const family =
    placement === "cloud" || size === undefined ? families.find(({ name }) => name.test(model)) : undefined;
  if (family !== undefined) return { tags: [...family.tags, ...code], weights: family.weights };
  if (size !== undefined) {
    return { tags: code, weights: weights(1 / (1 + size / 20), 1 / (1 + size / 40), qualityOfSize(size)) };
  }
  return { tags: code, weights: placement === "local" ? weights(0.9, 0.7, 0.5) : weights(0.5, 0.5, 0.7) };
}
