import type { Answer } from "../compose-answer.ts";
import type { Frame, FrameKind, Rendering } from "../flavour.ts";
import { type JsonObject, parseJson } from "../json.ts";
import type { Prompt } from "../prompt.ts";
import { hashHex } from "../seeded-random.ts";
import { splitTokens } from "../tokenizer.ts";
import { signThinking } from "./thinking-signature.ts";

/** What a rendering needs besides the answer. */
export interface MessageRenderInput {
  readonly id: string;
  readonly model: string;
  readonly prompt: Prompt;
  readonly answer: Answer;
  readonly cacheRead: number;
  readonly cacheWritten: number;
  readonly showThinking: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** A content block and the deltas it streams as. */
interface RenderedBlock {
  readonly whole: JsonObject;
  readonly start: JsonObject;
  readonly deltas: () => Iterable<JsonObject>;
  /** Tokens carried by a delta. */
  readonly tokensPerDelta: (delta: JsonObject) => number;
}

/** Renders an answer as a `message` and as its named events. */
export function renderMessage(input: MessageRenderInput): Rendering {
  const { answer } = input;
  const blocks = blocksFor(input);
  const stop = {
    stop_reason: stopReason(answer),
    stop_sequence: answer.stopSequence,
    stop_details: stopDetails(answer),
  };
  return {
    finish: stop.stop_reason,
    headers: input.headers,
    json: () => ({
      ...shell(input),
      content: blocks.map((block) => block.whole),
      ...stop,
      usage: usageOf(input, answer.outputTokens),
    }),
    frames: () => events(input, blocks, stop),
  };
}

function* events(input: MessageRenderInput, blocks: readonly RenderedBlock[], stop: JsonObject): Generator<Frame> {
  const start = {
    ...shell(input),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: usageOf(input, Math.min(1, input.answer.outputTokens)),
  };
  yield event("open", { type: "message_start", message: start }, 0);
  for (const [index, block] of blocks.entries()) {
    yield event("open", { type: "content_block_start", index, content_block: block.start }, 0);
    if (index === 0) yield event("open", { type: "ping" }, 0);
    for (const delta of block.deltas()) {
      yield event("token", { type: "content_block_delta", index, delta }, block.tokensPerDelta(delta));
    }
    yield event("open", { type: "content_block_stop", index }, 0);
  }
  const usage = usageOf(input, input.answer.outputTokens);
  const { service_tier: _tier, cache_creation: _creation, inference_geo: _geo, speed: _speed, ...deltaUsage } = usage;
  yield event("finish", { type: "message_delta", delta: { ...stop, container: null }, usage: deltaUsage }, 0);
  yield event("done", { type: "message_stop" }, 0);
}

function event(kind: FrameKind, body: JsonObject & { readonly type: string }, tokens: number): Frame {
  return { kind, tokens, data: `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n` };
}

function shell({ id, model }: MessageRenderInput): JsonObject {
  return { id, type: "message", role: "assistant", model, container: null, diagnostics: null };
}

function blocksFor({ answer, prompt, showThinking }: MessageRenderInput): readonly RenderedBlock[] {
  const blocks: RenderedBlock[] = [];
  if (answer.reasoning !== "") blocks.push(thinkingBlock(answer.reasoning, showThinking));
  if (answer.text !== "")
    blocks.push(textBlock(answer.hugeText ? [answer.text] : [...splitTokens(answer.text)], answer.text));
  for (const [index, call] of answer.toolCalls.entries()) {
    const id = `toolu_01${hashHex(`${prompt.seed}:${prompt.promptTokens}:${index}`, 22)}`;
    const input = parseJson(call.args) ?? {};
    blocks.push({
      whole: { type: "tool_use", id, name: call.name, input },
      start: { type: "tool_use", id, name: call.name, input: {} },
      *deltas() {
        yield { type: "input_json_delta", partial_json: "" };
        if (call.args === "{}") return;
        for (const piece of splitTokens(call.args)) yield { type: "input_json_delta", partial_json: piece };
      },
      tokensPerDelta: () => 1,
    });
  }
  return blocks;
}

function textBlock(pieces: readonly string[], text: string): RenderedBlock {
  return {
    whole: { type: "text", text, citations: null },
    start: { type: "text", text: "", citations: null },
    *deltas() {
      for (const piece of pieces) yield { type: "text_delta", text: piece };
    },
    tokensPerDelta: () => 1,
  };
}

function thinkingBlock(thinking: string, shown: boolean): RenderedBlock {
  const text = shown ? thinking : "";
  const signature = signThinking(thinking);
  return {
    whole: { type: "thinking", thinking: text, signature },
    start: { type: "thinking", thinking: "", signature: "" },
    *deltas() {
      for (const piece of splitTokens(text)) yield { type: "thinking_delta", thinking: piece };
      yield { type: "signature_delta", signature };
    },
    tokensPerDelta: (delta) => (delta["type"] === "signature_delta" ? 0 : 1),
  };
}

function stopReason(answer: Answer): string {
  switch (answer.finish) {
    case "length":
      return "max_tokens";
    case "tools":
      return "tool_use";
    case "refusal":
      return "refusal";
    case "stop-sequence":
      return "stop_sequence";
    default:
      return "end_turn";
  }
}

function stopDetails(answer: Answer): JsonObject | null {
  return answer.finish === "refusal"
    ? { type: "refusal", category: "general_harms", explanation: answer.refusal }
    : null;
}

function usageOf({ prompt, answer, cacheRead, cacheWritten }: MessageRenderInput, output: number): JsonObject {
  return {
    input_tokens: prompt.promptTokens - cacheRead - cacheWritten,
    cache_creation_input_tokens: cacheWritten,
    cache_read_input_tokens: cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: cacheWritten, ephemeral_1h_input_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { thinking_tokens: Math.min(output, answer.reasoningTokens) },
    server_tool_use: null,
    service_tier: "standard",
    inference_geo: "not_available",
    speed: "standard",
  };
}
