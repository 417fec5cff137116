import type { Capability } from "@fairlead/contract/names";
import type { ChatRequest, ReasoningEffort } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import {
  oneOf,
  optionalArray,
  optionalBoolean,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalString,
  refuse,
} from "./check.ts";
import { decodeMessages } from "./decode-messages.ts";
import { decodeResponseFormat, decodeToolChoice, decodeTools } from "./decode-tools.ts";

const efforts: readonly ReasoningEffort[] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/** Members with a place in `ChatRequest`, and the gateway's own, which the pipeline takes before. */
const placed = new Set([
  "model",
  "messages",
  "tools",
  "functions",
  "tool_choice",
  "function_call",
  "parallel_tool_calls",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop",
  "response_format",
  "reasoning_effort",
  "stream",
  "stream_options",
  "user",
  "safety_identifier",
  "service_tier",
  "routing",
  "routing_strategy",
  "__proto__",
]);

/**
 * Decodes a chat completion request. Strict about the members it knows, lenient about others: those go to `extra`.
 * Every request; synchronous.
 * @throws GatewayError `invalid_request` with the path of the first offending member
 * @see docs/spec/wire-formats.md 1.3 and 1.4
 */
export function decodeRequest(body: JsonObject): ChatRequest {
  const needs = new Set<Capability>();
  const messages = decodeMessages(body["messages"], needs);
  const tools = decodeTools(body);
  if (tools.length > 0) needs.add("tools");
  const responseFormat = decodeResponseFormat(body["response_format"]);
  if (responseFormat?.type === "json_schema") needs.add("json_schema");
  const streamOptions = optionalObject(body["stream_options"], "stream_options");
  const effort = body["reasoning_effort"];
  return {
    model: optionalString(body["model"], "model") || undefined,
    messages,
    tools,
    toolChoice: decodeToolChoice(body, tools),
    parallelToolCalls: optionalBoolean(body["parallel_tool_calls"], "parallel_tool_calls"),
    maxTokens: decodeMaxTokens(body),
    temperature: optionalNumber(body["temperature"], "temperature", 0, 2),
    topP: optionalNumber(body["top_p"], "top_p", 0, 1),
    topK: optionalInteger(body["top_k"], "top_k", -1),
    stop: decodeStop(body["stop"]),
    responseFormat,
    reasoningEffort: effort === undefined || effort === null ? undefined : oneOf(effort, "reasoning_effort", efforts),
    stream: optionalBoolean(body["stream"], "stream") ?? false,
    includeUsage: optionalBoolean(streamOptions?.["include_usage"], "stream_options.include_usage") ?? false,
    endUser: decodeEndUser(body),
    serviceTier: optionalString(body["service_tier"], "service_tier"),
    extra: decodeExtra(body, needs),
    needs,
  };
}

/** Both limits are checked, the newer one counts. */
function decodeMaxTokens(body: JsonObject): number | undefined {
  const old = optionalInteger(body["max_tokens"], "max_tokens", 1);
  return optionalInteger(body["max_completion_tokens"], "max_completion_tokens", 1) ?? old;
}

function decodeEndUser(body: JsonObject): string | undefined {
  const user = optionalString(body["user"], "user");
  return optionalString(body["safety_identifier"], "safety_identifier") ?? user;
}

function decodeStop(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) refuse("stop", "a string or an array of strings", value);
  return value.map((stop, i) => (typeof stop === "string" ? stop : refuse(`stop[${i}]`, "a string", stop)));
}

/** Collects what has no place of its own, checks what is known of it, and derives the needs it brings. */
function decodeExtra(body: JsonObject, needs: Set<Capability>): JsonObject {
  const extra: Record<string, unknown> = {};
  for (const key of Object.keys(body)) {
    const value = body[key];
    if (placed.has(key) || value === undefined || value === null) continue;
    extra[key] = value;
  }
  const n = optionalInteger(extra["n"], "n", 1, 128);
  if (n === 1) delete extra["n"];
  else if (n !== undefined) needs.add("n");
  const topLogprobs = optionalInteger(extra["top_logprobs"], "top_logprobs", 0, 20);
  if (optionalBoolean(extra["logprobs"], "logprobs") === true || (topLogprobs ?? 0) > 0) needs.add("logprobs");
  optionalNumber(extra["presence_penalty"], "presence_penalty", -2, 2);
  optionalNumber(extra["frequency_penalty"], "frequency_penalty", -2, 2);
  optionalInteger(extra["seed"], "seed", Number.MIN_SAFE_INTEGER);
  optionalObject(extra["metadata"], "metadata");
  optionalObject(extra["logit_bias"], "logit_bias");
  const modalities = optionalArray(extra["modalities"], "modalities");
  if (modalities?.includes("audio") || optionalObject(extra["audio"], "audio") !== undefined) needs.add("audio_out");
  return extra;
}
