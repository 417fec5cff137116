import type { Answer } from "./compose-answer.ts";
import type { EngineState } from "./engine-state.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Prompt } from "./prompt.ts";
import type { RefusedRequest } from "./refused-request.ts";

/** The APIs that can be simulated. */
export const FLAVOURS = ["vllm", "llamacpp", "ollama", "openai", "anthropic"] as const;

/** One of the simulated APIs. */
export type FlavourName = (typeof FLAVOURS)[number];

/** A model the simulated server offers. */
export interface ModelSpec {
  readonly id: string;
  readonly contextWindow?: number;
}

/** What a frame means, so that faults know what to delay, leave out or follow. */
export type FrameKind = "open" | "token" | "finish" | "usage" | "done";

/** One server-sent event, ready for the wire. */
export interface Frame {
  readonly kind: FrameKind;
  readonly data: string;
  readonly tokens: number;
}

/** An answer in the wire format of the API. */
export interface Rendering {
  readonly headers: Readonly<Record<string, string>>;
  readonly finish: string;
  json(): Json;
  frames(): Iterable<Frame>;
}

/** An accepted request. */
export interface Generation {
  readonly prompt: Prompt;
  readonly stream: boolean;
  render(answer: Answer): Rendering;
}

/** The head of a request, header names in lower case. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
}

/** A small answer without generation: health, models, metrics. */
export interface Page {
  readonly status: number;
  readonly body: Json;
  readonly contentType: string;
  /** It is answered only then. */
  readonly afterMs?: number;
}

/** One simulated API: its validation, its errors and its wire format. */
export interface Flavour {
  readonly name: FlavourName;
  /** Paths whose POST produces tokens. */
  readonly generationPaths: readonly string[];
  /** Returns the refusal for a missing or wrong key. */
  authorise(head: RequestHead, apiKey: string): RefusedRequest | null;
  /** @throws RefusedRequest */
  accept(body: JsonObject, head: RequestHead): Generation;
  /** The refusal for a body that is not a JSON object. */
  unreadable(): RefusedRequest;
  /** The error of this API for a status, with its usual words; `code` picks a special case. */
  failure(status: number, code?: string): RefusedRequest;
  /** How a model that is still loading answers; null when requests wait for it instead. */
  loading(): RefusedRequest | null;
  /** The events of an error inside a stream. */
  streamError(): readonly string[];
  /** Any other route; null when the server has no such page. */
  page(head: RequestHead, body: Json | undefined, state: EngineState): Page | null;
  notFound(head: RequestHead): RefusedRequest;
}
