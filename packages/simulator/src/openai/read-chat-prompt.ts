import { arrayOf, isObject, type Json, type JsonObject, textOf } from "../json.ts";
import { type OfferedTool, type Prompt, type PromptImage, PromptMeter, type ToolChoice } from "../prompt.ts";
import type { ChatServer } from "./chat-error.ts";

/** Tokens an answer may have when the request sets no limit. */
export const DEFAULT_MAX_TOKENS = 200_000;

/** Reads a checked request into a prompt and counts its tokens. */
export function readChatPrompt(server: ChatServer, body: JsonObject): Prompt {
  const meter = new PromptMeter();
  const messages = arrayOf(body["messages"]).filter(isObject);
  const tools = arrayOf(body["tools"]).filter(isObject).map(readTool);
  for (const tool of tools) meter.tool(tool);
  for (const message of messages) countMessage(message, meter);
  const system = messages.filter((message) => message["role"] === "system" || message["role"] === "developer");
  const users = messages.filter((message) => message["role"] === "user");
  const last = users.at(-1);
  const userText = last === undefined ? "" : textIn(last["content"]);
  const toolResults = trailingResults(messages);
  const format = isObject(body["response_format"]) ? body["response_format"] : {};
  const systemText = system.map((message) => textIn(message["content"])).join("\n");
  return {
    system: systemText,
    userText,
    images: last === undefined ? [] : imagesIn(last["content"]),
    toolResults,
    tools,
    toolChoice: server === "ollama" ? { kind: "auto" } : readChoice(body["tool_choice"]),
    parallelTools: server === "ollama" || body["parallel_tool_calls"] !== false,
    outputSchema: format["type"] === "json_schema" ? readSchema(format) : null,
    jsonObject: format["type"] === "json_object",
    maxTokens: readLimit(server, body) ?? DEFAULT_MAX_TOKENS,
    stop: typeof body["stop"] === "string" ? [body["stop"]] : arrayOf(body["stop"]).map(textOf),
    reasoning: /\[\[sim:reasoning/.test(userText) || (body["reasoning_effort"] ?? "none") !== "none",
    promptTokens: meter.tokens,
    begun: begunIn(server, body, messages.at(-1)),
    seed: `${systemText}\n${userText}\n${toolResults.join("\n")}`,
  };
}

/** Reads the output limit; Ollama knows only `max_tokens`. */
export function readLimit(server: ChatServer, body: JsonObject): number | null {
  const limit = server === "ollama" ? body["max_tokens"] : (body["max_completion_tokens"] ?? body["max_tokens"]);
  return typeof limit === "number" ? limit : null;
}

function readTool(tool: JsonObject): OfferedTool {
  const call = isObject(tool["function"]) ? tool["function"] : {};
  const schema = isObject(call["parameters"]) ? call["parameters"] : { type: "object", properties: {} };
  return { name: textOf(call["name"]), description: textOf(call["description"]), schema };
}

function readChoice(choice: Json | undefined): ToolChoice {
  if (choice === "none" || choice === "required") return { kind: choice };
  if (!isObject(choice) || !isObject(choice["function"])) return { kind: "auto" };
  return { kind: "named", name: textOf(choice["function"]["name"]) };
}

function readSchema(format: JsonObject): JsonObject | null {
  const wrapped = format["json_schema"];
  if (isObject(wrapped) && isObject(wrapped["schema"])) return wrapped["schema"];
  return isObject(format["schema"]) ? format["schema"] : null;
}

function countMessage(message: JsonObject, meter: PromptMeter): void {
  meter.message();
  const content = message["content"];
  if (typeof content === "string") meter.text(content);
  for (const part of arrayOf(content)) {
    if (!isObject(part)) continue;
    if (part["type"] === "image_url") meter.image();
    else meter.text(textOf(part["text"]) + textOf(part["refusal"]));
  }
  for (const call of arrayOf(message["tool_calls"])) {
    if (isObject(call) && isObject(call["function"])) {
      meter.call(textOf(call["function"]["name"]), textOf(call["function"]["arguments"]));
    }
  }
}

function textIn(content: Json | undefined): string {
  if (typeof content === "string") return content;
  const parts = arrayOf(content).filter(isObject);
  return parts.map((part) => textOf(part["text"])).join("");
}

function imagesIn(content: Json | undefined): readonly PromptImage[] {
  const urls = arrayOf(content).flatMap((part) => {
    if (!isObject(part) || part["type"] !== "image_url") return [];
    return [isObject(part["image_url"]) ? textOf(part["image_url"]["url"]) : textOf(part["image_url"])];
  });
  return urls.map((url) => {
    const data = /^data:([^;,]+)/.exec(url);
    return data?.[1] === undefined ? { mediaType: "url", url } : { mediaType: data[1].toLowerCase(), url: null };
  });
}

/** What the answer goes on from: vLLM and SGLang do so when told, llama.cpp and Ollama whenever an assistant speaks last. */
function begunIn(server: ChatServer, body: JsonObject, last: JsonObject | undefined): string {
  if (last?.["role"] !== "assistant") return "";
  const always = server === "llamacpp" || server === "ollama";
  return always || body["continue_final_message"] === true ? textIn(last["content"]) : "";
}

function trailingResults(messages: readonly JsonObject[]): readonly string[] {
  const results: string[] = [];
  for (let i = messages.length - 1; i >= 0 && messages[i]?.["role"] === "tool"; i--) {
    results.unshift(textIn(messages[i]?.["content"]));
  }
  return results;
}
