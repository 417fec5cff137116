import type { ChatCompletion, ToolCall } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { ReplyMeta } from "../codec.ts";
import { encodeUsage } from "./usage.ts";

/**
 * Renders a whole answer as a chat completion. `reasoning_content` and `thinking_blocks` are extensions.
 * @see docs/spec/wire-formats.md 2
 */
export function encodeResponse(completion: ChatCompletion, meta: ReplyMeta): JsonObject {
  const { toolCalls, reasoning, thinkingBlocks, annotations, usage } = completion;
  return {
    id: meta.id,
    object: "chat.completion",
    created: meta.createdAt,
    model: meta.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: completion.text,
          refusal: completion.refusal ?? null,
          ...(reasoning !== undefined && reasoning !== "" && { reasoning_content: reasoning }),
          ...(thinkingBlocks !== undefined && thinkingBlocks.length > 0 && { thinking_blocks: thinkingBlocks }),
          ...(annotations !== undefined && annotations.length > 0 && { annotations }),
          ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(encodeToolCall) }),
        },
        logprobs: null,
        finish_reason: completion.finishReason,
      },
    ],
    ...(usage !== undefined && { usage: encodeUsage(usage.usage) }),
  };
}

/** Renders a call as it stands in an answer and in the history. */
export function encodeToolCall(call: ToolCall): JsonObject {
  return call.custom === true
    ? { id: call.id, type: "custom", custom: { name: call.name, input: call.arguments } }
    : { id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } };
}
