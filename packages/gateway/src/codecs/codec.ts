import type { Capability, DialectName, ProtocolName } from "@fairlead/contract/names";
import type { ChatCompletion, ChatRequest } from "../core/chat.ts";
import type { ChatEvent } from "../core/chat-event.ts";
import type { GatewayError } from "../core/errors.ts";
import type { SseEvent } from "../framing/sse-reader.ts";
import type { JsonObject } from "../lib/json.ts";

/** What a protocol may know about the deployment it encodes for. */
export interface CodecTarget {
  /** The model id to put on the wire. */
  readonly model: string;
  /** Company or engine whose quirks apply (`openai`, `anthropic`, `vllm`, `ollama` …); data, from the preset. */
  readonly provider: string;
  readonly contextWindow?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
}

/** Choices an operator may make where a target cannot take what the client sent. */
export interface TranslationPolicy {
  /** What happens to system messages after the first turn where the model has no place for them. */
  readonly midSystem: "hoist" | "inline";
  /** What happens to a trailing assistant message where the model refuses prefill. */
  readonly prefill: "continue" | "drop" | "reject";
}

export const defaultTranslationPolicy: TranslationPolicy = { midSystem: "hoist", prefill: "continue" };

/** What the answer's decoder must remember from the request. */
export interface ReplyState {
  /** Name of the tool that carries a JSON answer, when structured output is emulated by a forced tool. */
  readonly jsonTool?: string;
  /** Rewritten tool name → the client's. */
  readonly toolNames: ReadonlyMap<string, string>;
  /** Names (the client's) of tools of type `custom` that were wrapped as functions. */
  readonly customTools: ReadonlySet<string>;
}

export const emptyReplyState: ReplyState = { toolNames: new Map(), customTools: new Set() };

export interface EncodedRequest {
  /** Path below the upstream's base URL, with a leading slash. */
  readonly path: string;
  readonly body: JsonObject;
  /** Headers the body depends on, for example an API version. Never credentials. */
  readonly headers: Readonly<Record<string, string>>;
  /** Client parameters changed or left out, by the client's names, without repeats. */
  readonly dropped: readonly string[];
  readonly state: ReplyState;
}

/** Turns an upstream's stream into chat events. Synchronous, one instance per attempt, never throws. */
export interface StreamDecoder {
  push(event: SseEvent): readonly ChatEvent[];
  /** Called once at the end of the body: ends cleanly or with an `error` event when the stream was cut. */
  end(): readonly ChatEvent[];
}

/** Upstream side of a wire format. */
export interface Protocol {
  readonly name: ProtocolName;
  /** True when a non-streaming request is better streamed upstream and collected here. */
  readonly alwaysStream: boolean;
  /**
   * @throws GatewayError `capability_unavailable` or `invalid_request`, naming the client's field, when nothing this
   * target could be sent would mean what the client asked.
   */
  encode(request: ChatRequest, target: CodecTarget, policy: TranslationPolicy): EncodedRequest;
  /** Whether the target goes on from a trailing assistant message, instead of answering it. */
  continues(request: ChatRequest, target: CodecTarget): boolean;
  /** @throws GatewayError `bad_upstream_response` when the body is no answer of this protocol. */
  decodeResponse(body: unknown, state: ReplyState): ChatCompletion;
  streamDecoder(state: ReplyState): StreamDecoder;
}

/** What the gateway says of an answer beyond its content; constant over a stream. */
export interface ReplyMeta {
  readonly id: string;
  /** Unix seconds. */
  readonly createdAt: number;
  /** The served model's id. */
  readonly model: string;
  readonly includeUsage: boolean;
}

/** Turns chat events into a client's stream. Synchronous, one instance per exchange. */
export interface StreamEncoder {
  /** Returns the bytes to send as text, or "" for nothing. After `end` or `error` it returns only "". */
  encode(event: ChatEvent): string;
}

/** Client side of a wire format. */
export interface Dialect {
  readonly name: DialectName;
  /**
   * @throws GatewayError `invalid_request` with `param`, naming what was found and what was expected.
   */
  decodeRequest(body: JsonObject): ChatRequest;
  encodeResponse(completion: ChatCompletion, meta: ReplyMeta): JsonObject;
  streamEncoder(meta: ReplyMeta): StreamEncoder;
  /** The request's member that asks for a capability: the `param` of an error about one that no target has. */
  paramOf(need: Capability): string;
  /** Error body in the client's own format; status and headers are the server's business. */
  encodeError(error: GatewayError, exchangeId: string): JsonObject;
  /** Comment or event that keeps an idle connection open without meaning anything. */
  readonly keepAlive: string;
}
