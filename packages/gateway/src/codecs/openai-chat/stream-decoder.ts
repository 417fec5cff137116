import type { ChatEvent } from "../../core/chat-event.ts";
import { GatewayError } from "../../core/errors.ts";
import type { ReportedUsage } from "../../core/usage.ts";
import type { SseEvent } from "../../framing/sse-reader.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { classifyErrorObject } from "../classify-failure.ts";
import type { ReplyState, StreamDecoder } from "../codec.ts";
import { isFailedFinish, mapFinishReason } from "./finish-reason.ts";
import { readTexts, stringOf } from "./message-parts.ts";
import { ToolCallTracker } from "./tool-call-tracker.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Decodes chat completion chunks of OpenAI and of the many servers that differ from it. The finish reason is held until
 * the end, since some servers repeat it on every chunk and usage may follow it.
 * @see docs/spec/wire-formats.md 8.4 and 5.4
 */
export function openAiStreamDecoder(state: ReplyState): StreamDecoder {
  return new ChunkDecoder(state);
}

class ChunkDecoder implements StreamDecoder {
  readonly #calls: ToolCallTracker;
  #started = false;
  #closed = false;
  #hasContent = false;
  #finishWord: string | undefined;
  #usage: ReportedUsage | undefined;

  constructor(state: ReplyState) {
    this.#calls = new ToolCallTracker(state);
  }

  push(event: SseEvent): readonly ChatEvent[] {
    if (this.#closed) return [];
    const data = event.data.trim();
    if (data === "") return [];
    if (data === "[DONE]") return this.#finish(this.#finishWord !== undefined || this.#hasContent);
    let chunk: unknown;
    try {
      chunk = JSON.parse(data);
    } catch {
      return this.#fail(
        event.event === "error"
          ? classifyErrorObject(data)
          : new GatewayError("bad_upstream_response", "The upstream's stream holds an event that is not JSON."),
      );
    }
    if (!isObject(chunk)) {
      return this.#fail(
        new GatewayError("bad_upstream_response", "The upstream's stream holds an event of no known shape."),
      );
    }
    if (chunk["error"] || chunk["object"] === "error" || event.event === "error") {
      return this.#fail(classifyErrorObject(chunk));
    }
    return this.#chunk(chunk);
  }

  end(): readonly ChatEvent[] {
    return this.#closed ? [] : this.#finish(this.#finishWord !== undefined);
  }

  #chunk(chunk: JsonObject): readonly ChatEvent[] {
    const events: ChatEvent[] = [];
    if (!this.#started) {
      this.#started = true;
      const id = stringOf(chunk["id"]) || undefined;
      this.#calls.responseId = id ?? "";
      events.push({ type: "start", id, model: stringOf(chunk["model"]) || undefined });
    }
    const choice = Array.isArray(chunk["choices"]) ? chunk["choices"].find(isFirstChoice) : undefined;
    if (isObject(choice)) {
      if (isObject(choice["delta"])) this.#delta(choice["delta"], events);
      // Servers that only pretend to stream send a whole message; others repeat at the end what they streamed.
      else if (isObject(choice["message"]) && !this.#hasContent) this.#delta(choice["message"], events);
      const word = stringOf(choice["finish_reason"]);
      if (isFailedFinish(word)) {
        const error = new GatewayError("upstream_error", `The upstream gave up with the finish reason '${word}'.`);
        return [...events, ...this.#fail(error)];
      }
      if (word !== "") this.#finishWord = word;
    }
    const usage = decodeUsage(chunk["usage"] ?? (isObject(choice) ? choice["usage"] : undefined));
    if (usage !== undefined) {
      this.#usage = usage;
      events.push({ type: "usage", ...usage });
    }
    return events;
  }

  #delta(delta: JsonObject, events: ChatEvent[]): void {
    const before = events.length;
    const { text, reasoning, refusal } = readTexts(delta);
    if (reasoning !== "") events.push({ type: "reasoning", text: reasoning });
    if (text !== "") events.push({ type: "text", text });
    if (refusal !== "") events.push({ type: "refusal", text: refusal });
    if (Array.isArray(delta["tool_calls"])) {
      for (const call of delta["tool_calls"]) if (isObject(call)) this.#calls.push(call, events);
    } else if (isObject(delta["function_call"])) {
      this.#calls.push({ index: 0, function: delta["function_call"] }, events);
    }
    if (Array.isArray(delta["thinking_blocks"])) {
      const blocks = delta["thinking_blocks"].filter(isObject);
      if (blocks.length > 0) events.push({ type: "thinking-blocks", blocks });
    }
    if (Array.isArray(delta["annotations"])) {
      const annotations = delta["annotations"].filter(isObject);
      if (annotations.length > 0) events.push({ type: "annotations", annotations });
    }
    if (events.length > before || this.#calls.count > 0) this.#hasContent = true;
  }

  #finish(isComplete: boolean): readonly ChatEvent[] {
    if (!isComplete) {
      return this.#fail(
        new GatewayError("stream_interrupted", "The upstream closed the stream before the answer ended."),
      );
    }
    if (this.#calls.hasNameless) {
      return this.#fail(new GatewayError("malformed_tool_call", "The upstream called a tool without a name."));
    }
    this.#closed = true;
    const events: ChatEvent[] = [];
    const reason = mapFinishReason(this.#finishWord, this.#calls.count > 0);
    this.#calls.close(reason !== "length", events);
    events.push({ type: "finish", reason });
    if (this.#usage !== undefined) events.push({ type: "usage", ...this.#usage });
    events.push({ type: "end" });
    return events;
  }

  #fail(error: GatewayError): readonly ChatEvent[] {
    this.#closed = true;
    return [{ type: "error", error }];
  }
}

function isFirstChoice(choice: unknown): boolean {
  return isObject(choice) && (choice["index"] === undefined || choice["index"] === null || choice["index"] === 0);
}
