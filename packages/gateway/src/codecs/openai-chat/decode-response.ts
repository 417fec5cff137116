import type { ChatCompletion, ToolCall } from "../../core/chat.ts";
import { GatewayError } from "../../core/errors.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { classifyErrorObject } from "../classify-failure.ts";
import type { ReplyState } from "../codec.ts";
import { customToolInputText } from "../custom-tool.ts";
import { positionalCallId } from "../positional-id.ts";
import { isFailedFinish, mapFinishReason } from "./finish-reason.ts";
import { argumentsText, readTexts, stringOf } from "./message-parts.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Decodes a whole chat completion, of its first choice.
 * @throws GatewayError `bad_upstream_response`, or what an error object inside a response of status 200 stands for
 */
export function decodeResponse(body: unknown, state: ReplyState): ChatCompletion {
  if (!isObject(body)) throw new GatewayError("bad_upstream_response", "The upstream's answer is no JSON object.");
  if (body["error"] || body["object"] === "error") throw classifyErrorObject(body);
  const choice = Array.isArray(body["choices"]) ? body["choices"][0] : undefined;
  const message = isObject(choice) ? choice["message"] : undefined;
  if (!isObject(choice) || !isObject(message)) {
    throw new GatewayError("bad_upstream_response", "The upstream's answer holds no message.");
  }
  const word = stringOf(choice["finish_reason"]);
  if (isFailedFinish(word)) {
    throw new GatewayError("upstream_error", `The upstream gave up with the finish reason '${word}'.`);
  }
  const { text, reasoning, refusal } = readTexts(message);
  const toolCalls = decodeToolCalls(message, stringOf(body["id"]), state);
  return {
    id: stringOf(body["id"]) || undefined,
    model: stringOf(body["model"]) || undefined,
    text: text === "" && (toolCalls.length > 0 || refusal !== "") ? null : text,
    reasoning: reasoning || undefined,
    thinkingBlocks: objectsOf(message["thinking_blocks"]),
    refusal: refusal || undefined,
    toolCalls,
    annotations: objectsOf(message["annotations"]),
    finishReason: mapFinishReason(word, toolCalls.length > 0),
    usage: decodeUsage(body["usage"] ?? choice["usage"]),
  };
}

function objectsOf(value: unknown): readonly JsonObject[] | undefined {
  const objects = Array.isArray(value) ? value.filter(isObject) : [];
  return objects.length === 0 ? undefined : objects;
}

function decodeToolCalls(message: JsonObject, responseId: string, state: ReplyState): ToolCall[] {
  const list = Array.isArray(message["tool_calls"]) ? message["tool_calls"] : [];
  const calls =
    list.length === 0 && isObject(message["function_call"]) ? [{ function: message["function_call"] }] : list;
  return calls.filter(isObject).map((call, i): ToolCall => {
    if (isObject(call["custom"])) {
      const name = stringOf(call["custom"]["name"]);
      return {
        id: callId(call, responseId, i, name),
        name,
        arguments: stringOf(call["custom"]["input"]),
        custom: true,
      };
    }
    const called = isObject(call["function"]) ? call["function"] : {};
    const wireName = stringOf(called["name"]);
    if (wireName === "") throw new GatewayError("malformed_tool_call", "The upstream called a tool without a name.");
    const name = state.toolNames.get(wireName) ?? wireName;
    const id = callId(call, responseId, i, name);
    const text = argumentsText(called["arguments"]);
    return state.customTools.has(name)
      ? { id, name, arguments: customToolInputText(text), custom: true }
      : { id, name, arguments: text || "{}" };
  });
}

function callId(call: JsonObject, responseId: string, index: number, name: string): string {
  return stringOf(call["id"]) || positionalCallId(0, index, `${responseId}:${name}`);
}
