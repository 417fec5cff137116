import { createHash } from "node:crypto";
import type { AssistantMessage, ChatMessage, ContentPart } from "../../core/chat.ts";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import { legalToolWord } from "../tool-names.ts";
import { encodeToolCall } from "./encode-response.ts";

/** Member in which a server reads earlier reasoning back; others refuse or ignore it. */
const reasoningMembers: Readonly<Record<string, string>> = {
  vllm: "reasoning",
  ollama: "reasoning",
  llamacpp: "reasoning_content",
  sglang: "reasoning_content",
  deepseek: "reasoning_content",
};

interface Place {
  readonly provider: string;
  readonly dropped: Set<string>;
}

/**
 * Encodes the history for a server of this format.
 * @throws GatewayError `capability_unavailable` for a file id, which only the server that gave it can resolve
 * @see docs/spec/wire-formats.md 5.2 and 8.1
 */
export function encodeMessages(
  messages: readonly ChatMessage[],
  provider: string,
  customTools: ReadonlySet<string>,
  dropped: Set<string>,
): JsonObject[] {
  const place: Place = { provider, dropped };
  const encoded: JsonObject[] = [];
  /** Images of tool results: only a user may send them, and never between two results. */
  let images: JsonObject[] = [];
  messages.forEach((message, i) => {
    if (message.role !== "tool" && images.length > 0) {
      encoded.push({ role: "user", content: images });
      images = [];
    }
    const path = `messages[${i}]`;
    switch (message.role) {
      case "system":
        encoded.push({ role: "system", content: joinedText(encodeParts(message.content, path, place), provider) });
        break;
      case "user":
        encoded.push({
          role: "user",
          content: unwrapText(encodeParts(message.content, path, place)),
          ...nameOf(message),
        });
        break;
      case "assistant":
        encoded.push(encodeAssistant(message, path, customTools, place));
        break;
      case "tool": {
        const parts = encodeParts(message.content, path, place);
        const texts = parts.map((part) => (part["type"] === "text" ? part["text"] : "[attached below]"));
        const prefix = message.isError === true ? "[tool error]\n" : "";
        const id = callId(message.toolCallId, provider);
        encoded.push({ role: "tool", tool_call_id: id, content: prefix + texts.join("\n") });
        images.push(...parts.filter((part) => part["type"] !== "text"));
      }
    }
  });
  if (images.length > 0) encoded.push({ role: "user", content: images });
  return encoded;
}

function nameOf(message: { readonly name?: string }): JsonObject {
  return message.name === undefined ? {} : { name: message.name };
}

function encodeAssistant(
  message: AssistantMessage,
  path: string,
  customTools: ReadonlySet<string>,
  place: Place,
): JsonObject {
  const text = message.content.map((part) => ("text" in part ? part.text : "")).join("");
  const toolCalls = message.toolCalls.map((call) => {
    const id = callId(call.id, place.provider);
    const isWrapped = call.custom === true && customTools.has(call.name);
    return isWrapped
      ? encodeToolCall({ id, name: legalToolWord(call.name), arguments: JSON.stringify({ input: call.arguments }) })
      : encodeToolCall({ ...call, id, name: legalToolWord(call.name), arguments: call.arguments || "{}" });
  });
  if (message.thinkingBlocks !== undefined) place.dropped.add(`${path}.thinking_blocks`);
  const member = reasoningMembers[place.provider];
  if (message.reasoning !== undefined && member === undefined) place.dropped.add(`${path}.reasoning_content`);
  return {
    role: "assistant",
    content: text === "" && toolCalls.length > 0 ? null : text,
    ...(message.reasoning !== undefined && member !== undefined && { [member]: message.reasoning }),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
    ...nameOf(message),
  };
}

/** Mistral takes exactly nine letters or digits. */
function callId(id: string, provider: string): string {
  if (provider !== "mistral") return id;
  return /^[A-Za-z0-9]{9}$/.test(id) ? id : createHash("sha256").update(id).digest("hex").slice(0, 9);
}

function encodeParts(parts: readonly ContentPart[], path: string, { provider, dropped }: Place): JsonObject[] {
  return parts.map((part, i): JsonObject => {
    if ("cache" in part) dropped.add(`${path}.content[${i}].cache_control`);
    switch (part.type) {
      case "text":
      case "refusal":
        return { type: "text", text: part.text };
      case "image":
        return {
          type: "image_url",
          image_url: { url: part.url, ...(part.detail !== undefined && { detail: part.detail }) },
        };
      case "audio":
        return { type: "input_audio", input_audio: { data: part.data, format: part.format } };
      case "file": {
        const file = { ...(part.filename !== undefined && { filename: part.filename }) };
        return { type: "file", file: { ...file, file_data: `data:${part.mediaType};base64,${part.data}` } };
      }
      case "file-id": {
        if (provider === "openai") return { type: "file", file: { file_id: part.fileId } };
        const param = `${path}.content[${i}].file.file_id`;
        throw new GatewayError(
          "capability_unavailable",
          `'${param}': the target cannot resolve file ids; send file_data.`,
          { param },
        );
      }
    }
  });
}

/** One plain text as a string: many chat templates know no parts. */
function unwrapText(parts: JsonObject[]): unknown {
  return parts.length === 1 && parts[0]?.["type"] === "text" ? parts[0]["text"] : parts;
}

function joinedText(parts: JsonObject[], provider: string): unknown {
  return provider === "openai" ? unwrapText(parts) : parts.map((part) => part["text"]).join("\n\n");
}
