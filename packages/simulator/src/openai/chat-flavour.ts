import { DEFAULT_WINDOW, enginePage } from "../engines/engine-pages.ts";
import { baseModel } from "../fault-rules.ts";
import type { Flavour, Generation, ModelSpec, RequestHead } from "../flavour.ts";
import { type JsonObject, textOf } from "../json.ts";
import type { Prompt } from "../prompt.ts";
import { RefusedRequest } from "../refused-request.ts";
import { hashHex } from "../seeded-random.ts";
import { badKey, type ChatServer, chatError, chatFailure } from "./chat-error.ts";
import { checkChat } from "./check-chat.ts";
import { checkMessages } from "./check-messages.ts";
import { readChatPrompt, readLimit } from "./read-chat-prompt.ts";
import { renderChat } from "./render-chat.ts";

const OPEN_PATHS: Readonly<Record<ChatServer, readonly string[]>> = {
  vllm: ["/health", "/ping", "/metrics", "/version", "/is_sleeping", "/sleep", "/wake_up", "/collective_rpc"],
  llamacpp: ["/health", "/v1/health", "/v1/models", "/models"],
  ollama: ["/"],
  openai: [],
};

/** Makes one of the Chat Completions servers. */
export function makeChatFlavour(server: ChatServer, models: readonly ModelSpec[]): Flavour {
  let answers = 0;
  return {
    name: server,
    generationPaths: server === "llamacpp" ? ["/v1/chat/completions", "/chat/completions"] : ["/v1/chat/completions"],
    authorise(head, apiKey) {
      if (OPEN_PATHS[server].includes(head.path)) return null;
      const given = /^Bearer\s+(.+)$/i.exec(head.headers["authorization"] ?? "")?.[1] ?? null;
      return given === apiKey ? null : badKey(server, given);
    },
    accept(body) {
      const prompt = accept(server, models, body);
      const id = `chatcmpl-${hashHex(`${prompt.seed}:${answers++}`, 32)}`;
      const created = Math.floor(Date.now() / 1000);
      const render: Generation["render"] = (answer) => renderChat({ server, body, prompt, answer, id, created });
      return { prompt, stream: body["stream"] === true, render };
    },
    unreadable: () =>
      server === "openai"
        ? chatError(server, 400, "We could not parse the JSON body of your request.")
        : chatError(server, server === "llamacpp" ? 500 : 400, "JSON decode error"),
    failure: (status, code) => chatFailure(server, status, code),
    loading: () => (server === "vllm" || server === "llamacpp" ? chatError(server, 503, "Loading model") : null),
    streamError() {
      const event = `data: ${JSON.stringify(chatFailure(server, 500).body)}\n\n`;
      return server === "vllm" ? [event, "data: [DONE]\n\n"] : [event];
    },
    page: (head, body, state) => enginePage(server, models, state, head, body),
    notFound: (head) => notFound(server, head),
  };
}

function accept(server: ChatServer, models: readonly ModelSpec[], body: JsonObject): Prompt {
  const refused = checkChat(server, body) ?? checkMessages(server, body);
  if (refused !== null) throw refused;
  const wanted = baseModel(textOf(body["model"]), models[0]?.id ?? "");
  const model = models.find((one) => one.id === wanted) ?? (server === "llamacpp" ? models[0] : undefined);
  if (model === undefined) throw unknownModel(server, wanted);
  const prompt = readChatPrompt(server, body);
  return fitWindow(server, prompt, readLimit(server, body), model.contextWindow ?? DEFAULT_WINDOW);
}

/** Refuses what does not fit, or cuts it the way the server does. */
function fitWindow(server: ChatServer, prompt: Prompt, limit: number | null, window: number): Prompt {
  const { promptTokens } = prompt;
  const room = window - promptTokens;
  if (server === "vllm" && (room <= 0 || promptTokens + (limit ?? 0) > window)) {
    const asked = limit ?? 0;
    const words = `This model's maximum context length is ${window} tokens. However, you requested ${asked} output tokens and your prompt contains at least ${promptTokens} input tokens, for a total of at least ${asked + promptTokens} tokens. Please reduce the length of the input prompt or the number of requested output tokens. (parameter=input_tokens, value=${promptTokens})`;
    throw chatError(server, 400, words, { param: "input_tokens" });
  }
  if (server === "llamacpp" && room <= 0) {
    const message = `request (${promptTokens} tokens) exceeds the available context size (${window} tokens), try increasing it`;
    const error = {
      code: 400,
      message,
      type: "exceed_context_size_error",
      n_prompt_tokens: promptTokens,
      n_ctx: window,
    };
    throw new RefusedRequest(400, { error });
  }
  if (server === "openai" && room <= 0) {
    const words = `This model's maximum context length is ${window} tokens. However, your messages resulted in ${promptTokens} tokens. Please reduce the length of the messages.`;
    throw chatError(server, 400, words, { param: "messages", code: "context_length_exceeded" });
  }
  if (server === "ollama") return { ...prompt, promptTokens: Math.min(promptTokens, window) };
  return { ...prompt, maxTokens: Math.min(prompt.maxTokens, room) };
}

function unknownModel(server: ChatServer, model: string): RefusedRequest {
  if (server === "vllm") return chatError(server, 404, `The model \`${model}\` does not exist.`, { param: "model" });
  if (server === "ollama") return chatError(server, 404, `model '${model}' not found`);
  const words = `The model \`${model}\` does not exist or you do not have access to it.`;
  return chatError(server, 404, words, { code: "model_not_found" });
}

function notFound(server: ChatServer, head: RequestHead): RefusedRequest {
  if (server === "vllm") return new RefusedRequest(404, { detail: "Not Found" });
  if (server === "ollama") return new RefusedRequest(404, "404 page not found");
  if (server === "llamacpp") return chatError(server, 404, "File Not Found");
  return chatError(server, 404, `Invalid URL (${head.method} ${head.path})`);
}
