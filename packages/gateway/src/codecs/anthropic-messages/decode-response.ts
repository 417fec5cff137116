import type { ChatCompletion, ToolCall } from "../../core/chat.ts";
import { GatewayError } from "../../core/errors.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { classifyErrorObject } from "../classify-failure.ts";
import type { ReplyState } from "../codec.ts";
import { customToolInput } from "../custom-tool.ts";
import { encodeAnnotations } from "./annotations.ts";
import { mapStopReason, refusalText } from "./finish-reason.ts";
import { decodeUsage } from "./usage.ts";

interface Gathered {
  text: string;
  reasoning: string;
  readonly thinkingBlocks: JsonObject[];
  readonly toolCalls: ToolCall[];
  readonly annotations: JsonObject[];
}

/**
 * Decodes a whole message.
 * @throws GatewayError `bad_upstream_response`, `malformed_tool_call`, or what an error object inside a response of status 200 stands for
 * @see docs/spec/wire-formats.md 2
 */
export function decodeResponse(body: unknown, state: ReplyState): ChatCompletion {
  if (!isObject(body)) throw new GatewayError("bad_upstream_response", "The upstream's answer is no JSON object.");
  if (body["type"] === "error" || body["error"]) throw classifyErrorObject(body);
  if (!Array.isArray(body["content"])) {
    throw new GatewayError("bad_upstream_response", "The upstream's answer holds no content.");
  }
  const gathered: Gathered = {
    text: "",
    reasoning: "",
    thinkingBlocks: [],
    toolCalls: [],
    annotations: [],
  };
  for (const block of body["content"]) if (isObject(block)) gather(block, gathered, state);
  const { text, reasoning, thinkingBlocks, toolCalls, annotations } = gathered;
  const stopReason = stringOf(body["stop_reason"]);
  const refusal = stopReason === "refusal" ? explanation(body["stop_details"]) : undefined;
  return {
    id: stringOf(body["id"]) || undefined,
    model: stringOf(body["model"]) || undefined,
    text: text === "" && (toolCalls.length > 0 || refusal !== undefined) ? null : text,
    reasoning: reasoning || undefined,
    thinkingBlocks: thinkingBlocks.length > 0 ? thinkingBlocks : undefined,
    refusal,
    toolCalls,
    annotations: annotations.length > 0 ? annotations : undefined,
    finishReason: mapStopReason(stopReason, toolCalls.length > 0),
    usage: isObject(body["usage"]) ? decodeUsage(body["usage"]) : undefined,
  };
}

function gather(block: JsonObject, gathered: Gathered, state: ReplyState): void {
  switch (block["type"]) {
    case "text": {
      const start = gathered.text.length;
      gathered.text += stringOf(block["text"]);
      const citations = Array.isArray(block["citations"]) ? block["citations"] : [];
      gathered.annotations.push(...encodeAnnotations(citations, start, gathered.text.length));
      break;
    }
    case "thinking":
      gathered.reasoning += stringOf(block["thinking"]);
      gathered.thinkingBlocks.push(block);
      break;
    case "redacted_thinking":
      gathered.thinkingBlocks.push(block);
      break;
    case "tool_use": {
      const wireName = stringOf(block["name"]);
      const input = JSON.stringify(block["input"] ?? {});
      if (wireName === state.jsonTool) gathered.text += input;
      else gathered.toolCalls.push(toToolCall(stringOf(block["id"]), wireName, block["input"], input, state));
    }
  }
}

function toToolCall(id: string, wireName: string, input: unknown, text: string, state: ReplyState): ToolCall {
  if (wireName === "") throw new GatewayError("malformed_tool_call", "The upstream called a tool without a name.");
  const name = state.toolNames.get(wireName) ?? wireName;
  return state.customTools.has(name)
    ? { id, name, arguments: customToolInput(input, text), custom: true }
    : { id, name, arguments: text };
}

/** Reads why the model refused, or the fixed text. */
export function explanation(stopDetails: unknown): string {
  return (isObject(stopDetails) && stringOf(stopDetails["explanation"])) || refusalText;
}

function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
