import type { FlavourName } from "../flavour.ts";
import type { Json } from "../json.ts";
import { RefusedRequest } from "../refused-request.ts";

/** The servers that speak Chat Completions. */
export type ChatServer = Exclude<FlavourName, "anthropic">;

/** Optional parts of an error body. */
export interface ErrorParts {
  readonly param?: string | null;
  readonly code?: string | null;
  readonly type?: string;
}

const VLLM_TYPES: Readonly<Record<number, string>> = {
  400: "BadRequestError",
  404: "NotFoundError",
  429: "TooManyRequestsError",
  500: "InternalServerError",
  503: "ServiceUnavailableError",
};
const LLAMA_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  500: "server_error",
  501: "not_supported_error",
  503: "unavailable_error",
};
const WORDS: Readonly<Record<ChatServer, Readonly<Record<number, string>>>> = {
  vllm: {
    429: "Too many requests.",
    500: "EngineCore encountered an issue. See stack trace (above) for the root cause.",
    503: "The server is overloaded. Please retry later.",
  },
  llamacpp: { 500: "Internal Server Error", 503: "Loading model" },
  ollama: {
    500: "llama runner process has terminated: exit status 2",
    503: "server busy, please try again.  maximum pending requests exceeded",
  },
  openai: {
    403: "Country, region, or territory not supported",
    429: "Rate limit reached for this model in organization org-simulator on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.",
    500: "The server had an error while processing your request. Sorry about that!",
    502: "Bad gateway.",
    503: "The engine is currently overloaded, please try again later.",
  },
};

/** Builds the error body of one server. */
export function chatError(server: ChatServer, status: number, message: string, parts: ErrorParts = {}): RefusedRequest {
  return new RefusedRequest(status, errorBody(server, status, message, parts));
}

/** The error a server gives for a bare status, with its usual words. */
export function chatFailure(server: ChatServer, status: number, code?: string): RefusedRequest {
  if (status === 401) return badKey(server, "sk-wrong");
  if (server === "openai" && code === "insufficient_quota") {
    const words = "You exceeded your current quota, please check your plan and billing details.";
    return chatError(server, status, words, { type: "insufficient_quota", code });
  }
  const message = WORDS[server][status] ?? `The server answered with status ${status}.`;
  return chatError(server, status, message, code === undefined ? {} : { code });
}

/** The refusal for a wrong key, or a missing one when `key` is null. */
export function badKey(server: ChatServer, key: string | null): RefusedRequest {
  if (server === "vllm") return new RefusedRequest(401, { error: "Unauthorized" });
  if (server === "llamacpp") return chatError(server, 401, "Invalid API Key");
  if (server === "ollama") return new RefusedRequest(401, { error: "unauthorized" });
  if (key === null) {
    const words =
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.";
    return chatError(server, 401, words, { type: "invalid_request_error" });
  }
  const shown = key.length < 9 ? "***" : `${key.slice(0, 3)}${"*".repeat(8)}${key.slice(-4)}`;
  const words = `Incorrect API key provided: ${shown}. You can find your API key at https://platform.openai.com/account/api-keys.`;
  return chatError(server, 401, words, { type: "invalid_request_error", code: "invalid_api_key" });
}

function errorBody(server: ChatServer, status: number, message: string, parts: ErrorParts): Json {
  const param = parts.param ?? null;
  switch (server) {
    case "vllm":
      return {
        error: { message, type: parts.type ?? VLLM_TYPES[status] ?? "InternalServerError", param, code: status },
      };
    case "llamacpp":
      return { error: { code: status, message, type: parts.type ?? LLAMA_TYPES[status] ?? "server_error" } };
    case "ollama":
      return { error: { message, type: parts.type ?? ollamaType(status), param: null, code: null } };
    case "openai":
      return {
        error: { message, type: parts.type ?? openaiType(status), param, code: parts.code ?? openaiCode(status) },
      };
  }
}

function ollamaType(status: number): string {
  return status === 404 ? "not_found_error" : status < 500 ? "invalid_request_error" : "api_error";
}

function openaiType(status: number): string {
  return status === 429 ? "requests" : status < 500 ? "invalid_request_error" : "server_error";
}

function openaiCode(status: number): string | null {
  return status === 429 ? "rate_limit_exceeded" : null;
}
