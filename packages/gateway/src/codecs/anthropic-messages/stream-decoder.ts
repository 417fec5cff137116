import type { ChatEvent } from "../../core/chat-event.ts";
import { GatewayError } from "../../core/errors.ts";
import type { SseEvent } from "../../framing/sse-reader.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { classifyErrorObject } from "../classify-failure.ts";
import type { ReplyState, StreamDecoder } from "../codec.ts";
import { explanation } from "./decode-response.ts";
import { mapStopReason } from "./finish-reason.ts";
import { StreamBlocks } from "./stream-blocks.ts";
import { decodeUsage, mergeUsage } from "./usage.ts";

/**
 * Decodes a Messages stream. The finish is held until `message_stop`, since `message_delta` may come more than once.
 * @see docs/spec/wire-formats.md 3.2
 */
export function anthropicStreamDecoder(state: ReplyState): StreamDecoder {
  return new MessageDecoder(state);
}

class MessageDecoder implements StreamDecoder {
  readonly #blocks: StreamBlocks;
  #messageId: string | undefined;
  #started = false;
  #closed = false;
  #usage: JsonObject = {};
  #stopReason: string | undefined;
  #stopDetails: unknown;

  constructor(state: ReplyState) {
    this.#blocks = new StreamBlocks(state);
  }

  push(event: SseEvent): readonly ChatEvent[] {
    if (this.#closed) return [];
    const data = event.data.trim();
    if (data === "") return [];
    if (data === "[DONE]") return this.end();
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return this.#fail(
        new GatewayError("bad_upstream_response", "The upstream's stream holds an event that is not JSON."),
      );
    }
    if (!isObject(message)) {
      return this.#fail(
        new GatewayError("bad_upstream_response", "The upstream's stream holds an event of no known shape."),
      );
    }
    const events: ChatEvent[] = [];
    const error = this.#step(message, events);
    return error === undefined ? events : [...events, ...this.#fail(error)];
  }

  end(): readonly ChatEvent[] {
    if (this.#closed) return [];
    if (this.#stopReason === undefined) {
      return this.#fail(interrupted());
    }
    const events: ChatEvent[] = [];
    this.#finish(events);
    return events;
  }

  #step(message: JsonObject, events: ChatEvent[]): GatewayError | undefined {
    const type = message["type"];
    if (type === "error" || (type === undefined && message["error"])) return classifyErrorObject(message);
    if (type === "ping") {
      events.push({ type: "ping" });
      return undefined;
    }
    if (type === "message_start") return this.#start(message["message"], events);
    if (typeof type !== "string" || !(type.startsWith("content_block_") || type.startsWith("message_")))
      return undefined;
    this.#ensureStarted(undefined, undefined, events);
    switch (type) {
      case "content_block_start":
        this.#blocks.start(message["index"], message["content_block"], events);
        return this.#blocks.hasNameless ? nameless() : undefined;
      case "content_block_delta":
        this.#blocks.delta(message["index"], message["delta"], events);
        break;
      case "content_block_stop":
        this.#blocks.stop(message["index"], events);
        break;
      case "message_delta":
        this.#messageDelta(message, events);
        break;
      case "message_stop":
        if (this.#stopReason === undefined && (this.#blocks.hasOpenCall || !this.#blocks.hasContent)) {
          return interrupted();
        }
        this.#finish(events);
    }
    return undefined;
  }

  #start(value: unknown, events: ChatEvent[]): GatewayError | undefined {
    const message = isObject(value) ? value : {};
    const id = typeof message["id"] === "string" ? message["id"] : undefined;
    if (this.#started) {
      if (id === this.#messageId) return undefined;
      return new GatewayError("bad_upstream_response", "The upstream began a second message in one stream.");
    }
    const model = typeof message["model"] === "string" ? message["model"] : undefined;
    this.#ensureStarted(id, model, events);
    this.#mergeUsage(message["usage"], events);
    const content = Array.isArray(message["content"]) ? message["content"] : [];
    for (const block of content) {
      this.#blocks.start(undefined, block, events);
      this.#blocks.stop(undefined, events);
    }
    return this.#blocks.hasNameless ? nameless() : undefined;
  }

  #ensureStarted(id: string | undefined, model: string | undefined, events: ChatEvent[]): void {
    if (this.#started) return;
    this.#started = true;
    this.#messageId = id;
    events.push({ type: "start", id, model });
  }

  #messageDelta(message: JsonObject, events: ChatEvent[]): void {
    const delta = isObject(message["delta"]) ? message["delta"] : {};
    if (typeof delta["stop_reason"] === "string") this.#stopReason = delta["stop_reason"];
    if (isObject(delta["stop_details"])) this.#stopDetails = delta["stop_details"];
    this.#mergeUsage(message["usage"], events);
  }

  #mergeUsage(later: unknown, events: ChatEvent[]): void {
    if (!isObject(later)) return;
    this.#usage = mergeUsage(this.#usage, later);
    events.push({ type: "usage", ...decodeUsage(this.#usage) });
  }

  #finish(events: ChatEvent[]): void {
    this.#closed = true;
    const reason = mapStopReason(this.#stopReason, this.#blocks.toolCount > 0);
    this.#blocks.close(reason === "length", events);
    if (this.#stopReason === "refusal") events.push({ type: "refusal", text: explanation(this.#stopDetails) });
    events.push({ type: "finish", reason });
    if (Object.keys(this.#usage).length > 0) events.push({ type: "usage", ...decodeUsage(this.#usage) });
    events.push({ type: "end" });
  }

  #fail(error: GatewayError): readonly ChatEvent[] {
    this.#closed = true;
    return [{ type: "error", error }];
  }
}

function interrupted(): GatewayError {
  return new GatewayError("stream_interrupted", "The upstream closed the stream before the answer ended.");
}

function nameless(): GatewayError {
  return new GatewayError("malformed_tool_call", "The upstream called a tool without a name.");
}
