import type { ReasoningEffort } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { ModelProfile } from "./model-profiles.ts";
import type { Turn } from "./turns.ts";

export interface EncodedThinking {
  readonly thinking?: JsonObject;
  readonly effort?: string;
  /** Thinking of type `enabled`: a tool cannot be forced beside it. */
  readonly isBudgeted: boolean;
  /** The request turns thinking on: sampling parameters are refused beside it. */
  readonly isOn: boolean;
}

const off: EncodedThinking = { isBudgeted: false, isOn: false };
const smallestBudget = 1024;

const budgets: Readonly<Record<Exclude<ReasoningEffort, "none">, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 32_000,
};

/**
 * Encodes `reasoning_effort`. Without one nothing is sent, and the model does as it does by default.
 * @see docs/spec/wire-formats.md 1.5
 */
export function encodeThinking(
  effort: ReasoningEffort | undefined,
  profile: ModelProfile,
  maxTokens: number,
  turns: readonly Turn[],
  dropped: Set<string>,
): EncodedThinking {
  if (effort === undefined) return off;
  if (effort === "none") return withoutThinking(profile, dropped);
  switch (profile.thinking) {
    case "none":
      dropped.add("reasoning_effort");
      return off;
    case "adaptive":
      return {
        thinking: { type: "adaptive", display: "summarized" },
        effort: adaptiveEffort(effort, profile, dropped),
        isBudgeted: false,
        isOn: true,
      };
    case "budget":
      return budgeted(effort, maxTokens, turns, dropped);
  }
}

function withoutThinking(profile: ModelProfile, dropped: Set<string>): EncodedThinking {
  if (profile.thinking === "none") return off;
  if (profile.canDisableThinking) return { ...off, thinking: { type: "disabled" } };
  dropped.add("reasoning_effort");
  return { ...off, effort: "low" };
}

function adaptiveEffort(effort: ReasoningEffort, profile: ModelProfile, dropped: Set<string>): string {
  if (effort === "minimal") return "low";
  if (profile.efforts.includes(effort)) return effort;
  dropped.add("reasoning_effort");
  return effort === "xhigh" ? "high" : (profile.efforts.at(-1) ?? "high");
}

function budgeted(
  effort: Exclude<ReasoningEffort, "none">,
  maxTokens: number,
  turns: readonly Turn[],
  dropped: Set<string>,
): EncodedThinking {
  // The client's limit counts reasoning too, so the budget is taken out of it.
  const budget = Math.min(budgets[effort], Math.floor(maxTokens * 0.8));
  if (budget < smallestBudget) {
    dropped.add("reasoning_effort");
    return off;
  }
  if (lostThinking(turns)) {
    dropped.add("reasoning_effort");
    return { ...off, thinking: { type: "disabled" } };
  }
  return { thinking: { type: "enabled", budget_tokens: budget }, isBudgeted: true, isOn: true };
}

/** The model insists on the thinking that led to the calls now being answered. */
function lostThinking(turns: readonly Turn[]): boolean {
  const last = turns.at(-1);
  const answers = last?.role === "user" && last.blocks.some((block) => block["type"] === "tool_result");
  const caller = turns.at(-2);
  return answers && caller?.role === "assistant" && caller.toolUses.length > 0 && caller.thinking.length === 0;
}
