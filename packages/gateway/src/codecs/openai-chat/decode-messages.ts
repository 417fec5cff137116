import type { Capability } from "@fairlead/contract/names";
import type { AssistantMessage, ChatMessage, ContentPart, ToolCall } from "../../core/chat.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { positionalCallId } from "../positional-id.ts";
import { oneOf, optionalArray, optionalString, refuse, requiredObject, requiredString } from "./check.ts";
import { decodeCacheHint, decodeContent, type PartType } from "./decode-content.ts";

const roles = ["system", "developer", "user", "assistant", "tool", "function"] as const;
const systemParts: readonly PartType[] = ["text"];
const userParts: readonly PartType[] = ["text", "image_url", "input_audio", "file"];
const assistantParts: readonly PartType[] = ["text", "refusal"];
const toolParts: readonly PartType[] = ["text", "image_url", "file"];

/**
 * Decodes `messages`, one for one, so that an index here is the client's index.
 * @throws GatewayError `invalid_request`
 */
export function decodeMessages(value: unknown, needs: Set<Capability>): ChatMessage[] {
  const expected = "a non-empty array of messages";
  if (!Array.isArray(value) || value.length === 0) refuse("messages", expected, value);
  /** Ids given to calls of the old `function_call` form, by function name. */
  const legacyIds = new Map<string, string>();
  return value.map((message, i) => decodeMessage(message, i, needs, legacyIds));
}

function decodeMessage(
  value: unknown,
  index: number,
  needs: Set<Capability>,
  legacyIds: Map<string, string>,
): ChatMessage {
  const path = `messages[${index}]`;
  const message = requiredObject(value, path, "a message object");
  switch (oneOf(message["role"], `${path}.role`, roles)) {
    case "system":
    case "developer":
      return { role: "system", content: contentOf(message, path, systemParts, needs) };
    case "user":
      return { role: "user", content: contentOf(message, path, userParts, needs), ...nameOf(message, path) };
    case "assistant":
      return decodeAssistant(message, index, path, needs, legacyIds);
    case "tool":
      needs.add("tools");
      return {
        role: "tool",
        toolCallId: requiredString(message["tool_call_id"], `${path}.tool_call_id`, "the id of the call answered"),
        content: contentOf(message, path, toolParts, needs),
      };
    case "function": {
      needs.add("tools");
      const name = requiredString(message["name"], `${path}.name`, "the name of the function that answers");
      const toolCallId = legacyIds.get(name) ?? positionalCallId(index, 0, name);
      const content = message["content"] === null ? [] : contentOf(message, path, toolParts, needs);
      return { role: "tool", toolCallId, content };
    }
  }
}

/** Content that has to be there; an assistant's is decoded apart, as it may be missing. */
function contentOf(
  message: JsonObject,
  path: string,
  allowed: readonly PartType[],
  needs: Set<Capability>,
): ContentPart[] {
  const content = message["content"];
  if (content === undefined || content === null) {
    refuse(`${path}.content`, "a string or an array of content parts", content);
  }
  return withMessageHint(decodeContent(content, `${path}.content`, allowed, needs), message);
}

/** A cache hint on the message stands for one on its last text. */
function withMessageHint(content: ContentPart[], message: JsonObject): ContentPart[] {
  const hint = decodeCacheHint(message);
  const last = content.at(-1);
  if (hint.cache !== undefined && last?.type === "text") content[content.length - 1] = { ...last, ...hint };
  return content;
}

function nameOf(message: JsonObject, path: string): { readonly name?: string } {
  const name = optionalString(message["name"], `${path}.name`);
  return name === undefined ? {} : { name };
}

function decodeAssistant(
  message: JsonObject,
  index: number,
  path: string,
  needs: Set<Capability>,
  legacyIds: Map<string, string>,
): AssistantMessage {
  const content = withMessageHint(decodeContent(message["content"], `${path}.content`, assistantParts, needs), message);
  const refusal = optionalString(message["refusal"], `${path}.refusal`);
  if (refusal !== undefined) content.push({ type: "refusal", text: refusal });
  const toolCalls = decodeToolCalls(message["tool_calls"], index, path);
  const legacy = message["function_call"];
  if (legacy !== undefined && legacy !== null) {
    const call = decodeFunction(legacy, `${path}.function_call`);
    const id = positionalCallId(index, 0, call.name);
    legacyIds.set(call.name, id);
    toolCalls.push({ id, ...call });
  }
  if (toolCalls.length > 0) needs.add("tools");
  const reasoning =
    optionalString(message["reasoning_content"], `${path}.reasoning_content`) ?? reasoningText(message["reasoning"]);
  const blocks = optionalArray(message["thinking_blocks"], `${path}.thinking_blocks`)?.map((block, i) =>
    requiredObject(block, `${path}.thinking_blocks[${i}]`),
  );
  return {
    role: "assistant",
    content,
    toolCalls,
    ...(reasoning !== undefined && { reasoning }),
    ...(blocks !== undefined && { thinkingBlocks: blocks }),
    ...nameOf(message, path),
  };
}

function reasoningText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function decodeToolCalls(value: unknown, messageIndex: number, path: string): ToolCall[] {
  const calls = optionalArray(value, `${path}.tool_calls`, "an array of tool calls") ?? [];
  return calls.map((item, i) => {
    const callPath = `${path}.tool_calls[${i}]`;
    const call = requiredObject(item, callPath, "a tool call object");
    const isCustom = call["type"] === "custom";
    const named = isCustom
      ? decodeCustom(call["custom"], `${callPath}.custom`)
      : decodeFunction(call["function"], `${callPath}.function`);
    if (!isCustom && call["type"] !== undefined) oneOf(call["type"], `${callPath}.type`, ["function", "custom"]);
    const id = optionalString(call["id"], `${callPath}.id`) || positionalCallId(messageIndex, i, named.name);
    return { id, ...named };
  });
}

function decodeFunction(value: unknown, path: string): { name: string; arguments: string } {
  const called = requiredObject(value, path);
  return {
    name: requiredString(called["name"], `${path}.name`, "the function's name"),
    arguments: optionalString(called["arguments"], `${path}.arguments`) ?? "",
  };
}

function decodeCustom(value: unknown, path: string): { name: string; arguments: string; custom: true } {
  const called = isObject(value) ? value : requiredObject(value, path);
  return {
    name: requiredString(called["name"], `${path}.name`, "the tool's name"),
    arguments: optionalString(called["input"], `${path}.input`) ?? "",
    custom: true,
  };
}
