import type { ChatCompletion, FinishReason, ToolCall } from "../core/chat.ts";
import type { ChatEvent } from "../core/chat-event.ts";
import { GatewayError } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";
import type { JsonObject } from "../lib/json.ts";

/** Largest answer that is put together in memory, in characters. */
const maxCharacters = 64 * 1024 * 1024;

interface OpenCall {
  readonly id: string;
  readonly name: string;
  readonly custom: boolean;
  arguments: string;
}

/** Puts a stream's events together into one whole answer. */
export class CompletionCollector {
  #id: string | undefined;
  #model: string | undefined;
  #text = "";
  #reasoning = "";
  #refusal = "";
  #blocks: readonly JsonObject[] | undefined;
  #annotations: readonly JsonObject[] | undefined;
  #finish: FinishReason = "stop";
  #usage: ReportedUsage | undefined;
  #characters = 0;
  readonly #calls: OpenCall[] = [];

  /** @throws GatewayError `bad_upstream_response` when the answer outgrows memory's bound */
  push(event: ChatEvent): void {
    if ("text" in event) this.#count(event.text.length);
    switch (event.type) {
      case "start":
        this.#id = event.id;
        this.#model = event.model;
        return;
      case "text":
        this.#text += event.text;
        return;
      case "reasoning":
        this.#reasoning += event.text;
        return;
      case "refusal":
        this.#refusal += event.text;
        return;
      case "tool-call":
        this.#calls[event.index] = { id: event.id, name: event.name, custom: event.custom ?? false, arguments: "" };
        return;
      case "tool-arguments": {
        const call = this.#calls[event.index];
        if (call !== undefined) call.arguments += event.text;
        return;
      }
      case "thinking-blocks":
        this.#blocks = event.blocks;
        return;
      case "annotations":
        this.#annotations = event.annotations;
        return;
      case "finish":
        this.#finish = event.reason;
        return;
      case "usage":
        this.#usage = { usage: event.usage, raw: event.raw };
        return;
      default:
        return;
    }
  }

  completion(): ChatCompletion {
    const toolCalls = this.#calls.filter(Boolean).map(
      (call): ToolCall => ({
        id: call.id,
        name: call.name,
        arguments: call.arguments,
        ...(call.custom ? { custom: true } : {}),
      }),
    );
    const beside = toolCalls.length > 0 || this.#refusal !== "";
    return {
      id: this.#id,
      model: this.#model,
      text: this.#text === "" && beside ? null : this.#text,
      reasoning: this.#reasoning || undefined,
      thinkingBlocks: this.#blocks,
      refusal: this.#refusal || undefined,
      toolCalls,
      annotations: this.#annotations,
      finishReason: this.#finish,
      usage: this.#usage,
    };
  }

  #count(characters: number): void {
    this.#characters += characters;
    if (this.#characters > maxCharacters) {
      throw new GatewayError(
        "bad_upstream_response",
        `The upstream's answer is longer than ${maxCharacters} characters.`,
      );
    }
  }
}
