import type { Answer } from "../compose-answer.ts";
import type { Frame, FrameKind, Rendering } from "../flavour.ts";
import { isObject, type Json, type JsonObject } from "../json.ts";
import type { Prompt } from "../prompt.ts";
import { hashHex } from "../seeded-random.ts";
import { splitTokens } from "../tokenizer.ts";
import type { ChatServer } from "./chat-error.ts";

/** What a rendering needs besides the answer. */
export interface ChatRenderInput {
  readonly server: ChatServer;
  readonly body: JsonObject;
  readonly prompt: Prompt;
  readonly answer: Answer;
  readonly id: string;
  readonly created: number;
}

/** Renders an answer as `chat.completion` and as chunks, with the habits of each server. */
export function renderChat(input: ChatRenderInput): Rendering {
  const { server, body, answer, id, created } = input;
  const finish = finishReason(input);
  const choices = server === "openai" || server === "vllm" ? Math.max(1, Number(body["n"] ?? 1)) : 1;
  const usage = usageOf(input, choices);
  const calls = answer.toolCalls.map((call, index) => ({
    id: callId(server, `${input.prompt.seed}:${input.prompt.promptTokens}:${index}`),
    type: "function",
    function: { name: call.name, arguments: call.args },
  }));
  const tail = tailOf(server);
  const indexes = Array.from({ length: choices }, (_, index) => index);
  return {
    finish,
    headers: server === "openai" ? openaiHeaders(id) : {},
    json: () => ({
      id,
      object: "chat.completion",
      created,
      model: String(body["model"]),
      choices: indexes.map((index) => ({
        index,
        message: messageOf(server, answer, calls),
        logprobs: null,
        finish_reason: finish,
        ...stopReason(server, answer),
      })),
      usage,
      ...tail,
    }),
    frames: () => chunks(input, indexes, calls, finish, usage),
  };
}

function* chunks(
  input: ChatRenderInput,
  indexes: readonly number[],
  calls: readonly JsonObject[],
  finish: string,
  usage: JsonObject,
): Generator<Frame> {
  const { server, body, answer } = input;
  const options = body["stream_options"];
  const withUsage = isObject(options) && options["include_usage"] === true;
  const base = { id: input.id, object: "chat.completion.chunk", created: input.created, model: String(body["model"]) };
  const tail = server === "openai" || server === "ollama" ? tailOf(server) : {};
  const nothing = server === "openai" && withUsage ? { usage: null } : {};
  const frame = (kind: FrameKind, choices: Json, extra: JsonObject, tokens: number): Frame => ({
    kind,
    tokens,
    data: `data: ${JSON.stringify({ ...base, ...tail, choices, ...extra })}\n\n`,
  });
  const delta = (kind: FrameKind, index: number, value: JsonObject, tokens: number, end: JsonObject = {}): Frame =>
    frame(kind, [{ index, delta: value, logprobs: null, finish_reason: null, ...end }], nothing, tokens);
  const role = server === "ollama" ? { role: "assistant" } : {};
  for (const index of indexes) {
    if (server !== "ollama") yield delta("open", index, openingDelta(server, answer), 0);
    for (const piece of splitTokens(answer.reasoning)) {
      if (server !== "openai") yield delta("token", index, { ...role, [reasoningField(server)]: piece }, 1);
    }
    for (const piece of textPieces(server, answer)) {
      yield delta("token", index, { ...role, content: piece }, 1);
    }
    if (server === "openai") {
      for (const piece of splitTokens(answer.refusal)) yield delta("token", index, { refusal: piece }, 1);
    }
    yield* toolDeltas(server, calls, (value) => delta("token", index, { ...role, ...value }, 1));
    const last = server === "openai" || server === "llamacpp" ? {} : { ...role, content: "" };
    yield delta("finish", index, last, 0, { finish_reason: finish, ...stopReason(server, answer) });
  }
  if (withUsage) yield frame("usage", [], { usage, ...timings(server, answer) }, 0);
  yield { kind: "done", data: "data: [DONE]\n\n", tokens: 0 };
}

function* toolDeltas(
  server: ChatServer,
  calls: readonly JsonObject[],
  delta: (value: JsonObject) => Frame,
): Generator<Frame> {
  for (const [index, call] of calls.entries()) {
    const inner = call["function"] as { name: string; arguments: string };
    if (server === "ollama") {
      yield delta({ content: "", tool_calls: [{ index, ...call }] });
      continue;
    }
    yield delta({
      tool_calls: [{ index, id: call["id"], type: "function", function: { name: inner.name, arguments: "" } }],
    });
    for (const piece of splitTokens(inner.arguments)) {
      yield delta({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
  }
}

function textPieces(server: ChatServer, answer: Answer): Iterable<string> {
  if (answer.hugeText) return [answer.text];
  return splitTokens(server === "openai" ? answer.text : answer.text + answer.refusal);
}

function openingDelta(server: ChatServer, answer: Answer): JsonObject {
  const hasText = answer.text !== "" || answer.toolCalls.length === 0;
  if (server === "openai")
    return { role: "assistant", content: hasText && answer.refusal === "" ? "" : null, refusal: null };
  return { role: "assistant", content: server === "llamacpp" ? null : "" };
}

function messageOf(server: ChatServer, answer: Answer, calls: readonly JsonObject[]): JsonObject {
  const content = answer.text === "" && (calls.length > 0 || answer.refusal !== "") ? null : answer.text;
  const reasoning = answer.reasoning === "" ? null : answer.reasoning;
  switch (server) {
    case "openai":
      return {
        role: "assistant",
        content,
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
        refusal: answer.refusal === "" ? null : answer.refusal,
        annotations: [],
      };
    case "vllm":
      return {
        role: "assistant",
        content: content ?? (answer.refusal || null),
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        tool_calls: calls,
        reasoning,
      };
    default:
      return {
        role: "assistant",
        content: content ?? answer.refusal,
        ...(reasoning === null ? {} : { [reasoningField(server)]: reasoning }),
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
      };
  }
}

/** A named choice ends with `stop` on OpenAI and vLLM although a tool was called. */
function finishReason({ server, answer, prompt }: ChatRenderInput): string {
  if (answer.finish === "length") return "length";
  if (answer.finish !== "tools") return "stop";
  return prompt.toolChoice.kind === "named" && (server === "openai" || server === "vllm") ? "stop" : "tool_calls";
}

function stopReason(server: ChatServer, answer: Answer): JsonObject {
  return server === "vllm" ? { stop_reason: answer.stopSequence } : {};
}

function reasoningField(server: ChatServer): string {
  return server === "llamacpp" ? "reasoning_content" : "reasoning";
}

function tailOf(server: ChatServer): JsonObject {
  if (server === "openai") return { service_tier: "default", system_fingerprint: "fp_simulator" };
  if (server === "vllm") {
    return { service_tier: null, system_fingerprint: null, prompt_logprobs: null, kv_transfer_params: null };
  }
  return { system_fingerprint: server === "ollama" ? "fp_ollama" : "b9000-simulator" };
}

function usageOf({ server, prompt, answer }: ChatRenderInput, choices: number): JsonObject {
  const completion = answer.outputTokens * choices;
  const usage = {
    prompt_tokens: prompt.promptTokens,
    completion_tokens: completion,
    total_tokens: prompt.promptTokens + completion,
  };
  if (server === "vllm") return { ...usage, prompt_tokens_details: null };
  if (server !== "openai") return usage;
  return {
    ...usage,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: answer.reasoningTokens * choices,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function timings(server: ChatServer, answer: Answer): JsonObject {
  return server === "llamacpp" ? { timings: { predicted_n: answer.outputTokens, predicted_per_second: 100 } } : {};
}

function callId(server: ChatServer, seed: string): string {
  if (server === "vllm") return `chatcmpl-tool-${hashHex(seed, 32)}`;
  if (server === "llamacpp") return hashHex(seed, 32);
  return `call_${hashHex(seed, server === "ollama" ? 8 : 24)}`;
}

function openaiHeaders(id: string): Readonly<Record<string, string>> {
  return {
    "x-request-id": `req_${hashHex(id, 32)}`,
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-reset-requests": "6ms",
  };
}
