import type { FinishReason } from "../../core/chat.ts";

const reasons: Readonly<Record<string, FinishReason>> = {
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

/**
 * Maps `stop_reason`; unknown words mean `stop`, and none of them reaches a client. `hasToolCalls` tells whether a call of
 * the client's own tools was made: an answer through the JSON tool is no call.
 * @see docs/spec/wire-formats.md 2
 */
export function mapStopReason(word: string | undefined, hasToolCalls: boolean): FinishReason {
  if (word === undefined || word === "") return hasToolCalls ? "tool_calls" : "stop";
  const reason = (Object.hasOwn(reasons, word) && reasons[word]) || "stop";
  return reason === "tool_calls" && !hasToolCalls ? "stop" : reason;
}

/** Text of a refusal that comes without an explanation. */
export const refusalText = "The model declined to answer this request.";
