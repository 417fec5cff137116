import { arrayOf, isObject, type Json, type JsonObject, textOf } from "../json.ts";
import type { RefusedRequest } from "../refused-request.ts";
import { type ChatServer, chatError } from "./chat-error.ts";

const ROLES = new Set(["developer", "system", "user", "assistant", "tool", "function"]);
const PARTS = new Set(["text", "image_url", "input_audio", "refusal", "audio", "file"]);
const IMAGE_DATA = /^data:image\/(png|jpe?g|gif|webp);base64,/i;

/** Checks the conversation; returns the first refusal. */
export function checkMessages(server: ChatServer, body: JsonObject): RefusedRequest | null {
  const messages = body["messages"];
  if (!Array.isArray(messages)) return missingMessages(server, body);
  if (messages.length === 0) {
    const words =
      server === "ollama"
        ? "[] is too short - 'messages'"
        : "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
    return chatError(server, 400, words, { param: "messages", code: "empty_array" });
  }
  let open: string[] = [];
  for (const [index, message] of messages.entries()) {
    const at = `messages[${index}]`;
    const refused = checkMessage(server, message, at);
    if (refused !== null) return refused;
    if (!isObject(message)) continue;
    const isResult = message["role"] === "tool";
    if (!isResult && open.length > 0 && server === "openai") return unanswered(open);
    if (isResult) {
      const id = textOf(message["tool_call_id"]);
      if (!open.includes(id)) return orphan(server, at);
      open = open.filter((other) => other !== id);
    } else {
      open = arrayOf(message["tool_calls"]).map((call) => (isObject(call) ? textOf(call["id"]) : ""));
    }
  }
  return open.length > 0 && server === "openai" ? unanswered(open) : null;
}

function missingMessages(server: ChatServer, body: JsonObject): RefusedRequest {
  if (server === "vllm") {
    const words = `[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required', 'input': ${JSON.stringify(body)}}]`;
    return chatError(server, 400, words, { type: "Bad Request" });
  }
  if (server === "llamacpp") return chatError(server, 400, "'messages' is required");
  if (server === "ollama") return chatError(server, 400, "[] is too short - 'messages'");
  const words = "Missing required parameter: 'messages'.";
  return chatError(server, 400, words, { param: "messages", code: "missing_required_parameter" });
}

function orphan(server: ChatServer, at: string): RefusedRequest {
  const words =
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
  return chatError(server, 400, words, { param: `${at}.role` });
}

function unanswered(ids: readonly string[]): RefusedRequest {
  const words = `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${ids.join(", ")}`;
  return chatError("openai", 400, words, { param: "messages" });
}

function checkMessage(server: ChatServer, message: Json, at: string): RefusedRequest | null {
  if (!isObject(message)) {
    return chatError(server, 400, `Invalid type for '${at}': expected an object.`, { param: at, code: "invalid_type" });
  }
  const role = textOf(message["role"]);
  if (!ROLES.has(role) || (role === "function" && server !== "openai")) {
    const openai = `Invalid value: '${role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.`;
    const words = server === "openai" ? openai : "Unexpected message role.";
    return chatError(server, 400, words, { param: `${at}.role`, code: "invalid_value" });
  }
  const content = message["content"];
  const calls = message["tool_calls"];
  if (calls != null) {
    const refused = role === "assistant" ? checkCalls(server, calls, at) : unexpectedCalls(server, at);
    if (refused !== null) return refused;
  }
  if (content == null) {
    const mayBeEmpty =
      role === "assistant" &&
      (arrayOf(calls).length > 0 || message["refusal"] != null || message["function_call"] != null);
    if (mayBeEmpty || server === "ollama") return null;
    const words = "Invalid value for 'content': expected a string, got null.";
    return chatError(server, 400, words, { param: `${at}.content` });
  }
  if (typeof content === "string") return null;
  if (!Array.isArray(content)) {
    const words = `Invalid type for '${at}.content': expected one of a string or array of objects, but got an object instead.`;
    return chatError(server, 400, words, { param: `${at}.content`, code: "invalid_type" });
  }
  if (content.length === 0 && server === "openai") {
    const words = `Invalid '${at}.content': empty array. Expected an array with minimum length 1, but got an empty array instead.`;
    return chatError(server, 400, words, { param: `${at}.content`, code: "empty_array" });
  }
  for (const [index, part] of content.entries()) {
    const refused = checkPart(server, part, role, `${at}.content[${index}]`);
    if (refused !== null) return refused;
  }
  return null;
}

function unexpectedCalls(server: ChatServer, at: string): RefusedRequest | null {
  if (server !== "openai") return null;
  const words = `Unknown parameter: '${at}.tool_calls'.`;
  return chatError(server, 400, words, { param: `${at}.tool_calls`, code: "unknown_parameter" });
}

function checkCalls(server: ChatServer, calls: Json, at: string): RefusedRequest | null {
  if (!Array.isArray(calls) || (calls.length === 0 && server === "openai")) {
    const words = `Invalid '${at}.tool_calls': empty array. Expected an array with minimum length 1, but got an empty array instead.`;
    return chatError(server, 400, words, { param: `${at}.tool_calls`, code: "empty_array" });
  }
  for (const [index, call] of calls.entries()) {
    const inner = isObject(call) ? call["function"] : undefined;
    const custom = isObject(call) && call["type"] === "custom" && server === "openai";
    if (custom) continue;
    const where = `${at}.tool_calls[${index}]`;
    if (!isObject(call) || textOf(call["id"]) === "" || call["type"] !== "function" || !isObject(inner)) {
      return chatError(server, 400, `Missing required parameter: '${where}.id'.`, {
        param: `${where}.id`,
        code: "missing_required_parameter",
      });
    }
    if (typeof inner["arguments"] !== "string" || typeof inner["name"] !== "string") {
      const words = `Invalid type for '${where}.function.arguments': expected a string.`;
      return chatError(server, 400, words, { param: `${where}.function.arguments`, code: "invalid_type" });
    }
  }
  return null;
}

function checkPart(server: ChatServer, part: Json, role: string, at: string): RefusedRequest | null {
  const type = isObject(part) ? textOf(part["type"]) : "";
  if (!isObject(part) || !PARTS.has(type)) {
    const words = `Invalid value: '${type}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'.`;
    return chatError(server, 400, words, { param: `${at}.type`, code: "invalid_value" });
  }
  if (type === "text" && typeof part["text"] !== "string") {
    const words = `Missing required parameter: '${at}.text'.`;
    return chatError(server, 400, words, { param: `${at}.text`, code: "missing_required_parameter" });
  }
  if (type !== "image_url") return null;
  const image = part["image_url"];
  const url = isObject(image) ? textOf(image["url"]) : textOf(image);
  if (!isObject(image) && server === "openai") {
    const words = `Invalid type for '${at}.image_url': expected an object, but got a string instead.`;
    return chatError(server, 400, words, { param: `${at}.image_url`, code: "invalid_type" });
  }
  if (role !== "user" && server === "openai") {
    const words = `Invalid value: 'image_url'. Image URLs are only allowed for messages with role 'user', but this message with role '${role}' contains an image URL.`;
    return chatError(server, 400, words, { param: `${at}.type`, code: "invalid_value" });
  }
  if (IMAGE_DATA.test(url) || (/^https?:\/\//.test(url) && server !== "ollama")) return null;
  if (server === "ollama") return chatError(server, 400, "invalid image input");
  const words = url.startsWith("data:")
    ? "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp']."
    : `Failed to download image from ${url}.`;
  const code = url.startsWith("data:") ? "invalid_image_format" : "invalid_image_url";
  return chatError(server, 400, words, { param: at, code });
}
