import type { ChatEvent } from "../../core/chat-event.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { sseData, sseDone, sseKeepAlive } from "../../framing/sse-writer.ts";
import { assertNever } from "../../lib/assert-never.ts";
import type { ReplyMeta, StreamEncoder } from "../codec.ts";
import { encodeOpenAiError } from "./encode-error.ts";
import { encodeUsage } from "./usage.ts";

/**
 * Renders events as chat completion chunks in the order OpenAI's own clients insist on.
 * @see docs/spec/wire-formats.md 3.1
 */
export function openAiStreamEncoder(meta: ReplyMeta): StreamEncoder {
  return new ChunkEncoder(meta);
}

class ChunkEncoder implements StreamEncoder {
  readonly #includeUsage: boolean;
  /** Text before and after the choices, the same in every chunk. */
  readonly #head: string;
  readonly #tail: string;
  readonly #customCalls = new Set<number>();
  #roleSent = false;
  #closed = false;
  #usage: TokenUsage | undefined;

  constructor(meta: ReplyMeta) {
    const envelope = { id: meta.id, object: "chat.completion.chunk", created: meta.createdAt, model: meta.model };
    this.#head = `data: ${JSON.stringify(envelope).slice(0, -1)},"choices":[`;
    this.#includeUsage = meta.includeUsage;
    this.#tail = meta.includeUsage ? '],"usage":null}\n\n' : "]}\n\n";
  }

  encode(event: ChatEvent): string {
    if (this.#closed) return "";
    switch (event.type) {
      case "start":
        return this.#role();
      case "text":
        return event.text === "" ? "" : this.#delta(`{"content":${JSON.stringify(event.text)}}`);
      case "reasoning":
        return event.text === "" ? "" : this.#delta(`{"reasoning_content":${JSON.stringify(event.text)}}`);
      case "refusal":
        return event.text === "" ? "" : this.#delta(`{"refusal":${JSON.stringify(event.text)}}`);
      case "tool-call":
        return this.#openCall(event.index, event.id, event.name, event.custom === true);
      case "tool-arguments":
        return event.text === "" ? "" : this.#callArguments(event.index, event.text);
      case "thinking-blocks":
        return this.#delta(JSON.stringify({ thinking_blocks: event.blocks }));
      case "annotations":
        return this.#delta(JSON.stringify({ annotations: event.annotations }));
      case "finish":
        return this.#delta("{}", event.reason);
      case "usage":
        this.#usage = event.usage;
        return "";
      case "ping":
        return sseKeepAlive;
      case "end":
        this.#closed = true;
        return this.#usageChunk() + sseDone;
      case "error":
        this.#closed = true;
        return sseData(encodeOpenAiError(event.error));
      default:
        return assertNever(event);
    }
  }

  #role(): string {
    if (this.#roleSent) return "";
    this.#roleSent = true;
    return this.#delta('{"role":"assistant","content":""}');
  }

  #delta(delta: string, finishReason?: string): string {
    const role = this.#roleSent ? "" : this.#role();
    const reason = finishReason === undefined ? "null" : JSON.stringify(finishReason);
    return `${role}${this.#head}{"index":0,"delta":${delta},"finish_reason":${reason}}${this.#tail}`;
  }

  #openCall(index: number, id: string, name: string, isCustom: boolean): string {
    if (isCustom) this.#customCalls.add(index);
    const call = isCustom
      ? { index, id, type: "custom", custom: { name, input: "" } }
      : { index, id, type: "function", function: { name, arguments: "" } };
    return this.#delta(JSON.stringify({ tool_calls: [call] }));
  }

  /** Continuations leave out id, type and name: official clients take a repeated one for a change. */
  #callArguments(index: number, text: string): string {
    const call = this.#customCalls.has(index)
      ? { index, custom: { input: text } }
      : { index, function: { arguments: text } };
    return this.#delta(JSON.stringify({ tool_calls: [call] }));
  }

  #usageChunk(): string {
    if (!this.#includeUsage || this.#usage === undefined) return "";
    return `${this.#head}],"usage":${JSON.stringify(encodeUsage(this.#usage))}}\n\n`;
  }
}
