import { isSimple, longPromptTokens, type ScoredRequest } from "./complexity-weights.ts";
import { countOf } from "./task-kind.ts";

const high = 0.3;
const medium = 0.2;
const low = 0.1;

/** A rule and what it adds when it holds. */
type Rule = readonly [weight: number, holds: (request: ScoredRequest) => boolean];

/** Requirement B6 to the letter; the key phrases stand with the signal that they are a case of. */
const rules: readonly Rule[] = [
  // "step by step"
  [high, ({ scan }) => countOf(scan, "multiStep") > 0],
  // "analyze in depth", "comprehensive analysis"
  [high, ({ scan }) => countOf(scan, "analysisPhrase") > 0],
  [high, ({ task }) => task === "code_analysis" || task === "code_generation"],
  [high, ({ promptTokens }) => promptTokens > longPromptTokens],
  [high, ({ hasMedia }) => hasMedia],
  [high, ({ hasTools }) => hasTools],
  [medium, ({ scan }) => scan.questions > 1],
  // "explain", "describe", "summarize"
  [medium, ({ scan }) => countOf(scan, "detail") + countOf(scan, "explain") > 0],
  [medium, ({ scan }) => countOf(scan, "domain") > 0],
  [low, isSimple],
  // "what is", "define", "list"
  [low, ({ scan }) => countOf(scan, "lookup") > 0],
  [low, ({ task }) => task === "summarising"],
];

/** The literal sum of requirement B6, at most 1. */
export function complexityRules(request: ScoredRequest): number {
  let sum = 0;
  for (const [weight, holds] of rules) if (holds(request)) sum += weight;
  return Math.min(1, Math.round(sum * 10) / 10);
}
