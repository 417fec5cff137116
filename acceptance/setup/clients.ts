import OpenAI from "openai";

/** The official client, which tries once unless told otherwise, so that tests see what was answered. */
export function openaiClient(baseUrl: string, options: { apiKey?: string; maxRetries?: number } = {}): OpenAI {
  return new OpenAI({
    baseURL: `${baseUrl}/v1`,
    apiKey: options.apiKey ?? "any-key",
    maxRetries: options.maxRetries ?? 0,
    timeout: 15_000,
  });
}

export interface ChatBody {
  readonly model?: unknown;
  readonly messages?: unknown;
  readonly [field: string]: unknown;
}

/** A raw request, for what the official client would not send or would hide. */
export function postChat(
  url: string,
  body: ChatBody | string,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** A body with one user message. */
export function say(text: string, more: Readonly<Record<string, unknown>> = {}): ChatBody {
  return { model: "auto", messages: [{ role: "user", content: text }], ...more };
}

/** The fields of an error body, as they should be. */
export interface WireError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

export async function readError(response: Response): Promise<WireError> {
  const body = (await response.json()) as { error: WireError };
  return body.error;
}

/** The data lines of an event stream, `[DONE]` included. */
export function dataLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim());
}
