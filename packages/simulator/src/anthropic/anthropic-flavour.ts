import { baseModel } from "../fault-rules.ts";
import type { Flavour, Generation, ModelSpec, Page, RequestHead } from "../flavour.ts";
import { isObject, type Json, type JsonObject, textOf } from "../json.ts";
import { RefusedRequest } from "../refused-request.ts";
import { hashHex } from "../seeded-random.ts";
import { checkRequest } from "./check-request.ts";
import { checkTurns } from "./check-turns.ts";
import { invalid, messagesError, messagesFailure, nextRequestId } from "./messages-error.ts";
import { type ModelProfile, profileOf } from "./model-profile.ts";
import { type MessagesPrompt, readMessagesPrompt } from "./read-messages-prompt.ts";
import { renderMessage } from "./render-message.ts";

const VERSIONS = ["2023-01-01", "2023-06-01", "2026-10-21"];
const MAX_PREFIXES = 1_000;

/** Makes the Messages API. */
export function makeAnthropicFlavour(models: readonly ModelSpec[]): Flavour {
  const prefixes = new Set<string>();
  let answers = 0;
  return {
    name: "anthropic",
    generationPaths: ["/v1/messages"],
    authorise(head, apiKey) {
      const key = head.headers["x-api-key"];
      const bearer = /^Bearer\s+(.+)$/i.exec(head.headers["authorization"] ?? "")?.[1];
      if (key === undefined && bearer === undefined) return messagesError(401, "x-api-key header is required");
      if (key === apiKey || bearer === apiKey) return null;
      return messagesError(401, key === undefined ? "Invalid bearer token" : "invalid x-api-key");
    },
    accept(body, head) {
      const { prompt, profile } = accept(models, body, head, false);
      const id = `msg_01${hashHex(`${prompt.seed}:${answers++}`, 22)}`;
      const cache = useCache(prompt, prefixes);
      const showThinking = showsThinking(body, profile);
      const headers = responseHeaders();
      const model = textOf(body["model"]);
      const render: Generation["render"] = (answer) =>
        renderMessage({ id, model, prompt, answer, ...cache, showThinking, headers });
      return { prompt, stream: body["stream"] === true, render };
    },
    unreadable: () => invalid("The request body is not valid JSON"),
    failure(status, code) {
      const refused = messagesFailure(status, code);
      return status === 429
        ? new RefusedRequest(status, refused.body, { ...refused.headers, ...limitHeaders(0) })
        : refused;
    },
    loading: () => null,
    streamError() {
      const error = { type: "overloaded_error", message: "Overloaded" };
      return [`event: error\ndata: ${JSON.stringify({ type: "error", error, request_id: nextRequestId() })}\n\n`];
    },
    page: (head, body) => messagesPage(models, head, body),
    notFound: () => messagesError(404, "Not found"),
  };
}

function accept(
  models: readonly ModelSpec[],
  body: JsonObject,
  head: RequestHead,
  counting: boolean,
): { prompt: MessagesPrompt; profile: ModelProfile } {
  const version = head.headers["anthropic-version"];
  if (version === undefined) throw invalid("anthropic-version: header is required");
  if (!VERSIONS.includes(version)) throw invalid(`anthropic-version: "${version}" is not a valid version`);
  const wanted = baseModel(textOf(body["model"]), models[0]?.id ?? "");
  const profile = profileOf(wanted);
  const beta = head.headers["anthropic-beta"] !== undefined || head.query.get("beta") === "true";
  const input = { body, profile, version, beta, counting };
  const refused = checkRequest(input);
  if (refused !== null) throw refused;
  const model = models.find((one) => one.id === wanted);
  if (model === undefined) throw messagesError(404, `model: ${wanted}`);
  const refusedTurns = checkTurns(input);
  if (refusedTurns !== null) throw refusedTurns;
  const prompt = readMessagesPrompt(body, profile);
  return { profile, prompt: counting ? prompt : fitWindow(prompt, profile, model, wanted) };
}

/** Refuses what cannot fit; from 4.5 on a long answer is cut at the window instead. */
function fitWindow(prompt: MessagesPrompt, profile: ModelProfile, model: ModelSpec, name: string): MessagesPrompt {
  const window = model.contextWindow ?? profile.window;
  const { promptTokens, maxTokens } = prompt;
  if (promptTokens > window) throw invalid(`prompt is too long: ${promptTokens} tokens > ${window} maximum`);
  if (maxTokens > profile.maxOutput) {
    throw invalid(
      `max_tokens: ${maxTokens} > ${profile.maxOutput}, which is the maximum allowed number of output tokens for ${name}`,
    );
  }
  if (promptTokens + maxTokens <= window) return prompt;
  if (profile.sampling !== "any") return { ...prompt, maxTokens: window - promptTokens };
  throw invalid(
    `input length and \`max_tokens\` exceed context limit: ${promptTokens} + ${maxTokens} > ${window}, decrease input length or \`max_tokens\` and try again`,
  );
}

/** The first request with a prefix writes it, later ones read it. */
function useCache({ cached }: MessagesPrompt, prefixes: Set<string>): { cacheRead: number; cacheWritten: number } {
  if (cached === null) return { cacheRead: 0, cacheWritten: 0 };
  if (prefixes.has(cached.key)) return { cacheRead: cached.tokens, cacheWritten: 0 };
  if (prefixes.size >= MAX_PREFIXES) prefixes.clear();
  prefixes.add(cached.key);
  return { cacheRead: 0, cacheWritten: cached.tokens };
}

function showsThinking(body: JsonObject, profile: ModelProfile): boolean {
  const display = isObject(body["thinking"]) ? body["thinking"]["display"] : null;
  return display === "summarized" || (display !== "omitted" && !profile.omitsThinking);
}

function responseHeaders(): Readonly<Record<string, string>> {
  return {
    "request-id": nextRequestId(),
    "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
    ...limitHeaders(49),
  };
}

function limitHeaders(requestsLeft: number): Record<string, string> {
  const reset = new Date(Date.now() + 60_000).toISOString().replace(/\.\d+/, "");
  const headers: Record<string, string> = {};
  const limits: readonly [string, number, number][] = [
    ["requests", 50, requestsLeft],
    ["tokens", 480_000, requestsLeft === 0 ? 0 : 479_000],
    ["input-tokens", 400_000, requestsLeft === 0 ? 0 : 399_000],
    ["output-tokens", 80_000, requestsLeft === 0 ? 0 : 79_000],
  ];
  for (const [name, limit, remaining] of limits) {
    headers[`anthropic-ratelimit-${name}-limit`] = String(limit);
    headers[`anthropic-ratelimit-${name}-remaining`] = String(remaining);
    headers[`anthropic-ratelimit-${name}-reset`] = reset;
  }
  return headers;
}

function messagesPage(models: readonly ModelSpec[], head: RequestHead, body: Json | undefined): Page | null {
  const page = (value: Json): Page => ({ status: 200, body: value, contentType: "application/json" });
  if (head.method === "POST" && head.path === "/v1/messages/count_tokens" && isObject(body)) {
    return page({ input_tokens: accept(models, body, head, true).prompt.promptTokens });
  }
  if (head.method !== "GET") return null;
  if (head.path === "/v1/models") {
    const data = models.map(modelEntry);
    return page({ data, has_more: false, first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null });
  }
  const id = head.path.startsWith("/v1/models/") ? decodeURIComponent(head.path.slice("/v1/models/".length)) : null;
  const found = models.find((model) => model.id === id);
  return found === undefined ? null : page(modelEntry(found));
}

function modelEntry(model: ModelSpec): JsonObject {
  const profile = profileOf(model.id);
  const yes = (supported: boolean) => ({ supported });
  return {
    type: "model",
    id: model.id,
    display_name: model.id,
    created_at: "2026-01-01T00:00:00Z",
    lifecycle: "active",
    max_input_tokens: model.contextWindow ?? profile.window,
    max_tokens: profile.maxOutput,
    capabilities: {
      batch: yes(true),
      citations: yes(true),
      image_input: yes(true),
      pdf_input: yes(true),
      structured_outputs: yes(true),
      effort: {
        supported: profile.efforts.length > 0,
        ...Object.fromEntries(
          ["low", "medium", "high", "xhigh", "max"].map((one) => [one, yes(profile.efforts.includes(one))]),
        ),
      },
      thinking: {
        supported: true,
        types: Object.fromEntries(
          ["adaptive", "between_tools", "disabled", "enabled"].map((one) => [one, yes(profile.thinking.includes(one))]),
        ),
      },
    },
  };
}
