import type { Capability } from "@fairlead/contract/names";
import type { JsonObject } from "../lib/json.ts";
import type { ReportedUsage } from "./usage.ts";

/**
 * The hub of all translation: every dialect decodes into `ChatRequest`, every protocol encodes from it.
 * Order of messages, parts and tools is the client's; texts are byte-exact.
 */
export interface ChatRequest {
  /** The name asked for; undefined when the client sent none. */
  readonly model: string | undefined;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ChatTool[];
  readonly toolChoice: ToolChoice | undefined;
  readonly parallelToolCalls: boolean | undefined;
  /** Output limit, reasoning included; undefined when the client set none. */
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly stop: readonly string[];
  readonly responseFormat: ResponseFormat | undefined;
  readonly reasoningEffort: ReasoningEffort | undefined;
  readonly stream: boolean;
  /** The client asked for a usage chunk at the end of the stream. */
  readonly includeUsage: boolean;
  /** Opaque end-user id (`safety_identifier` ?? `user`). */
  readonly endUser: string | undefined;
  readonly serviceTier: string | undefined;
  /** What a target must be able to do to serve this request at all. */
  readonly needs: ReadonlySet<Capability>;
  /** Client fields without a place above, by wire name: a protocol maps, passes or reports each of them. */
  readonly extra: JsonObject;
}

/** Asks nothing, in the fewest words; what a real one has is laid over it. */
export const emptyChat: ChatRequest = {
  model: undefined,
  messages: [],
  tools: [],
  toolChoice: undefined,
  parallelToolCalls: undefined,
  maxTokens: undefined,
  temperature: undefined,
  topP: undefined,
  topK: undefined,
  stop: [],
  responseFormat: undefined,
  reasoningEffort: undefined,
  stream: false,
  includeUsage: false,
  endUser: undefined,
  serviceTier: undefined,
  needs: new Set(),
  extra: {},
};

export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage;

export interface SystemMessage {
  readonly role: "system";
  readonly content: readonly ContentPart[];
}
export interface UserMessage {
  readonly role: "user";
  readonly content: readonly ContentPart[];
  readonly name?: string;
}
export interface AssistantMessage {
  readonly role: "assistant";
  readonly content: readonly ContentPart[];
  readonly toolCalls: readonly ToolCall[];
  /** Plain reasoning text an upstream produced earlier. */
  readonly reasoning?: string;
  /** Opaque, signed reasoning blocks in Anthropic's shape, echoed by the client. */
  readonly thinkingBlocks?: readonly JsonObject[];
  readonly name?: string;
}
export interface ToolMessage {
  readonly role: "tool";
  readonly toolCallId: string;
  readonly content: readonly ContentPart[];
  readonly isError?: boolean;
}

export type ContentPart =
  | { readonly type: "text"; readonly text: string; readonly cache?: CacheHint }
  | { readonly type: "image"; readonly url: string; readonly detail?: string; readonly cache?: CacheHint }
  /** `data` is base64 without the data-URL prefix. */
  | {
      readonly type: "file";
      readonly data: string;
      readonly mediaType: string;
      readonly filename?: string;
      readonly cache?: CacheHint;
    }
  | { readonly type: "file-id"; readonly fileId: string }
  | { readonly type: "audio"; readonly data: string; readonly format: string }
  | { readonly type: "refusal"; readonly text: string };

export interface CacheHint {
  /** `1h` or absent for the provider's default. */
  readonly ttl?: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** The JSON text as the model wrote it; may be empty or invalid. For a custom tool: the raw input. */
  readonly arguments: string;
  readonly custom?: boolean;
}

export type ChatTool =
  | {
      readonly type: "function";
      readonly name: string;
      readonly description?: string;
      readonly parameters?: JsonObject;
      readonly strict?: boolean;
      readonly cache?: CacheHint;
    }
  | { readonly type: "custom"; readonly name: string; readonly description?: string; readonly format?: JsonObject }
  /** A provider's own tool (`web_search_…`), kept as sent. */
  | { readonly type: "server"; readonly raw: JsonObject };

export type ToolChoice =
  | { readonly type: "auto" | "none" | "required" }
  | { readonly type: "named"; readonly name: string }
  | { readonly type: "allowed"; readonly mode: "auto" | "required"; readonly names: readonly string[] };

export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | {
      readonly type: "json_schema";
      readonly name: string;
      readonly schema: JsonObject;
      readonly strict?: boolean;
      readonly description?: string;
    };

export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

/** One whole answer, of one choice. */
export interface ChatCompletion {
  readonly id: string | undefined;
  /** The served model's id as the upstream names it; undefined when it did not say. */
  readonly model: string | undefined;
  /** Joined text; null when there is none beside calls or a refusal. */
  readonly text: string | null;
  readonly reasoning: string | undefined;
  readonly thinkingBlocks: readonly JsonObject[] | undefined;
  readonly refusal: string | undefined;
  readonly toolCalls: readonly ToolCall[];
  readonly annotations: readonly JsonObject[] | undefined;
  readonly finishReason: FinishReason;
  readonly usage: ReportedUsage | undefined;
}

/** Whether an answer says nothing but that the content is refused. */
export function isRefusal({ finishReason, refusal, text, toolCalls }: ChatCompletion): boolean {
  return (finishReason === "content_filter" || refusal !== undefined) && !text && toolCalls.length === 0;
}
