import { describe, expect, test } from "bun:test";
import { expectSubset, readVectors } from "../../test/vector.ts";
import { type ChatEvent, isContent } from "../core/chat-event.ts";
import { GatewayError } from "../core/errors.ts";
import { type SseEvent, sseReader } from "../framing/sse-reader.ts";
import type { JsonObject } from "../lib/json.ts";
import { defaultTranslationPolicy, type Protocol, type ReplyMeta, type ReplyState } from "./codec.ts";
import { dialects, protocols } from "./registry.ts";

const openAi = dialects["openai-chat"];
const anthropic = protocols["anthropic-messages"];
const meta: ReplyMeta = { id: "chatcmpl-1", createdAt: 1, model: "m", includeUsage: true };

interface WireState {
  readonly json_tool?: string;
  readonly tool_names?: Record<string, string>;
  readonly custom_tools?: readonly string[];
}

function replyState(state: WireState = {}): ReplyState {
  return {
    ...(state.json_tool !== undefined && { jsonTool: state.json_tool }),
    toolNames: new Map(Object.entries(state.tool_names ?? {})),
    customTools: new Set(state.custom_tools),
  };
}

interface RequestGiven {
  readonly request: JsonObject;
  readonly target: { readonly provider: string; readonly model: string };
  readonly policy?: { readonly mid_system?: "hoist" | "inline"; readonly prefill?: "continue" | "drop" | "reject" };
}
interface RequestExpected {
  readonly request?: JsonObject;
  readonly warnings?: readonly string[];
  readonly needs?: readonly string[];
  readonly state?: WireState;
  readonly error?: { readonly status: number } & JsonObject;
}

describe("vectors: OpenAI request to Anthropic request", async () => {
  for (const { id, title, given, expect: wanted } of [
    ...(await readVectors<RequestGiven, RequestExpected>("openai-to-anthropic-request")),
    ...(await readVectors<RequestGiven, RequestExpected>("openai-to-anthropic-request-more")),
  ]) {
    test(`${id} ${title}`, () => {
      const request = openAi.decodeRequest(given.request);
      if (wanted.needs) expect([...request.needs]).toEqual(wanted.needs as never[]);
      const policy = {
        midSystem: given.policy?.mid_system ?? defaultTranslationPolicy.midSystem,
        prefill: given.policy?.prefill ?? defaultTranslationPolicy.prefill,
      };
      const protocol: Protocol = given.target.provider === "anthropic" ? anthropic : protocols["openai-chat"];
      const encode = () => protocol.encode(request, given.target, policy);
      if (wanted.error) {
        const error = thrownBy(encode);
        const { status, ...members } = wanted.error;
        expect(error.status).toBe(status);
        expectSubset(openAi.encodeError(error, "x"), { error: members });
        return;
      }
      const encoded = encode();
      expectSubset(encoded.body, wanted.request);
      if (wanted.warnings) expect([...encoded.dropped].sort()).toEqual([...wanted.warnings].sort());
      expect<string | undefined>(encoded.state.jsonTool).toBe(wanted.state?.json_tool);
      expect(encoded.headers).toEqual({ "anthropic-version": "2023-06-01" });
    });
  }
});

function thrownBy(act: () => unknown): GatewayError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

interface ResponseGiven {
  readonly response: JsonObject;
  readonly state?: WireState;
}

describe("vectors: Anthropic response to OpenAI response", async () => {
  for (const { id, title, given, expect: wanted } of await readVectors<ResponseGiven, JsonObject>(
    "anthropic-to-openai-response",
  )) {
    test(`${id} ${title}`, () => {
      const completion = anthropic.decodeResponse(given.response, replyState(given.state));
      expectSubset(openAi.encodeResponse(completion, meta), wanted);
    });
  }
});

interface StreamGiven {
  readonly events: readonly JsonObject[];
  readonly state?: WireState;
  readonly stream_options?: { readonly include_usage: boolean };
}
interface StreamExpected {
  readonly chunks?: readonly unknown[];
  readonly outcome?: {
    readonly committed: boolean;
    readonly class?: string;
    readonly status?: number;
    readonly retry_other?: boolean;
  };
}

function decodeAll(given: StreamGiven): ChatEvent[] {
  const decoder = anthropic.streamDecoder(replyState(given.state));
  const sent = given.events.filter((event) => event["$eof"] === undefined);
  return [...sent.flatMap((event) => [...decoder.push(toSse(event))]), ...decoder.end()];
}

function toSse(event: JsonObject): SseEvent {
  const raw = event["$raw"];
  return typeof raw === "string"
    ? { event: undefined, data: raw }
    : { event: String(event["type"]), data: JSON.stringify(event) };
}

/** Reads what the client gets, with the volatile members left out. */
function clientChunks(events: readonly ChatEvent[], includeUsage: boolean): unknown[] {
  const encoder = openAi.streamEncoder({ ...meta, includeUsage });
  const reader = sseReader();
  const body = events.map((event) => encoder.encode(event)).join("");
  const frames = [...reader.push(new TextEncoder().encode(body)), ...reader.end()];
  return frames.map(({ data }) => {
    if (data === "[DONE]") return data;
    const { id, object, created, model, usage, ...rest } = JSON.parse(data);
    if (rest.error === undefined) {
      expect([id, object, created, model]).toEqual([meta.id, "chat.completion.chunk", meta.createdAt, meta.model]);
      expect(usage === undefined).toBe(!includeUsage);
    }
    return usage === undefined || usage === null ? rest : { ...rest, usage };
  });
}

describe("vectors: Anthropic stream to OpenAI stream", async () => {
  for (const { id, title, given, expect: wanted } of [
    ...(await readVectors<StreamGiven, StreamExpected>("anthropic-to-openai-stream")),
    ...(await readVectors<StreamGiven, StreamExpected>("anthropic-to-openai-stream-more")),
  ]) {
    test(`${id} ${title}`, () => {
      const events = decodeAll(given);
      const { outcome, chunks } = wanted;
      if (outcome) {
        const last = events.at(-1);
        const error = last?.type === "error" ? last.error : undefined;
        expect(events.some(isContent)).toBe(outcome.committed);
        if (outcome.class !== undefined) expect<string | undefined>(error?.code).toBe(outcome.class);
        if (outcome.status !== undefined) expect(error?.detail.upstreamStatus).toBe(outcome.status);
        if (!outcome.committed && outcome.retry_other) expect(error?.row.retryOther).toBe("yes");
      }
      if (chunks) expectSubset(clientChunks(events, given.stream_options?.include_usage === true), chunks);
    });
  }
});

interface FramingGiven {
  readonly network_chunks: readonly (string | { readonly hex: string })[];
}
interface FramingExpected {
  readonly events: readonly { readonly event: string | null; readonly data: unknown }[];
}

describe("vectors: SSE framing", async () => {
  for (const { id, title, given, expect: wanted } of await readVectors<FramingGiven, FramingExpected>("sse-framing")) {
    test(`${id} ${title}`, () => {
      const reader = sseReader();
      const chunks = given.network_chunks.map((chunk) =>
        typeof chunk === "string" ? new TextEncoder().encode(chunk) : new Uint8Array(Buffer.from(chunk.hex, "hex")),
      );
      const events = [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
      const parsed = events.map(({ event, data }) => ({ event: event ?? null, data: JSON.parse(data) }));
      expect(parsed).toEqual(wanted.events as never[]);
    });
  }
});
