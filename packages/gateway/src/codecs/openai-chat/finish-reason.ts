import type { FinishReason } from "../../core/chat.ts";

const reasons: Readonly<Record<string, FinishReason>> = {
  length: "length",
  max_tokens: "length",
  model_length: "length",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter",
};

/** Words by which a server says that it gave up, under status 200. */
const failures = new Set(["error", "abort"]);

export function isFailedFinish(word: string): boolean {
  return failures.has(word);
}

/**
 * Maps a server's word; unknown words mean `stop`. Several servers say `stop` beside tool calls.
 * @see docs/spec/wire-formats.md 8.4
 */
export function mapFinishReason(word: string | undefined, hasToolCalls: boolean): FinishReason {
  const reason = (word !== undefined && Object.hasOwn(reasons, word) && reasons[word]) || "stop";
  return reason === "stop" && hasToolCalls ? "tool_calls" : reason;
}
