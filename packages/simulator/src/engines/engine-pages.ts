import type { EngineState } from "../engine-state.ts";
import type { ModelSpec, Page, RequestHead } from "../flavour.ts";
import { isObject, type Json, textOf } from "../json.ts";
import type { ChatServer } from "../openai/chat-error.ts";
import { llamaMetrics, vllmMetrics } from "./metrics-page.ts";

const CREATED = 1_763_600_000;
const LOADING = { error: { code: 503, message: "Loading model", type: "unavailable_error" } };

/** Window of a model that does not state one. */
export const DEFAULT_WINDOW = 32_768;

/** Answers health, model lists, metrics and status routes the way each server does; null when it has no such page. */
export function enginePage(
  server: ChatServer,
  models: readonly ModelSpec[],
  state: EngineState,
  head: RequestHead,
  body: Json | undefined,
): Page | null {
  const ready = state.healthy && state.coldForMs === 0;
  if (head.method === "GET" && (head.path === "/v1/models" || (head.path === "/models" && server === "llamacpp"))) {
    return ready || server !== "vllm" ? json(modelList(server, models)) : json(unavailable(), 503);
  }
  if (head.method === "GET" && head.path.startsWith("/v1/models/")) {
    const id = decodeURIComponent(head.path.slice("/v1/models/".length));
    const found = models.find((model) => model.id === id);
    return found === undefined ? null : json(modelEntry(server, found));
  }
  switch (server) {
    case "vllm":
      return vllmPage(models, state, head, ready);
    case "llamacpp":
      return llamaPage(models, state, head, ready);
    case "ollama":
      return ollamaPage(models, state, head, body);
    case "openai":
      return null;
  }
}

function vllmPage(models: readonly ModelSpec[], state: EngineState, head: RequestHead, ready: boolean): Page | null {
  switch (`${head.method} ${head.path}`) {
    case "GET /health":
    case "GET /ping":
      return { status: ready ? 200 : 503, body: "", contentType: "text/plain" };
    case "GET /metrics":
      return plain(vllmMetrics(models, state), "text/plain; version=0.0.4; charset=utf-8");
    case "GET /version":
      return json({ version: "0.32.0" });
    case "GET /is_sleeping":
      return json({ is_sleeping: state.sleeping });
    case "POST /sleep":
      state.sleeping = true;
      return plain("");
    case "POST /wake_up":
      // After a deep sleep weights and cache are woken one after the other; only both make it awake.
      return head.query.get("tags") === "weights" ? plain("") : { ...plain(""), afterMs: state.wake() };
    case "POST /collective_rpc":
      return json({ results: [null] });
    default:
      return null;
  }
}

function llamaPage(models: readonly ModelSpec[], state: EngineState, head: RequestHead, ready: boolean): Page | null {
  const window = models[0]?.contextWindow ?? DEFAULT_WINDOW;
  const slots = Number.isFinite(state.slots.limit) ? state.slots.limit : 4;
  switch (`${head.method} ${head.path}`) {
    case "GET /health":
    case "GET /v1/health":
      return ready ? json({ status: "ok" }) : json(LOADING, 503);
    case "GET /metrics":
      return ready ? plain(llamaMetrics(state), "text/plain; version=0.0.4") : json(LOADING, 503);
    case "GET /props":
      if (!ready) return json(LOADING, 503);
      return json({
        default_generation_settings: { n_ctx: window, id: 0, is_processing: false },
        total_slots: slots,
        model_path: `/models/${models[0]?.id ?? "model"}.gguf`,
        model_alias: models[0]?.id ?? "model",
        modalities: { vision: true, audio: false },
        chat_template_caps: { supports_tools: true, supports_parallel_tool_calls: true },
        build_info: "b9000-simulator",
        is_sleeping: state.sleeping,
      });
    case "GET /slots": {
      if (!ready) return json(LOADING, 503);
      const busy = Math.min(state.running, slots);
      const full = busy >= slots && head.query.get("fail_on_no_slot") === "1";
      const list = Array.from({ length: slots }, (_, id) => ({ id, n_ctx: window, is_processing: id < busy }));
      const none = { error: { code: 503, message: "no slot available", type: "unavailable_error" } };
      return full ? json(none, 503) : json(list);
    }
    default:
      return null;
  }
}

function ollamaPage(
  models: readonly ModelSpec[],
  state: EngineState,
  head: RequestHead,
  body: Json | undefined,
): Page | null {
  const entries = models.map((model) => ({
    name: model.id,
    model: model.id,
    modified_at: "2026-11-20T09:00:00Z",
    size: 4_683_087_332,
    digest: "845dbda0ea48ed749caafd9e6037047aa19acfcfd82e704d7ca97d631a0b697e",
    details: {
      format: "gguf",
      family: "qwen2",
      families: ["qwen2"],
      parameter_size: "7.6B",
      quantization_level: "Q4_K_M",
    },
  }));
  switch (`${head.method} ${head.path}`) {
    case "GET /":
    case "HEAD /":
      return plain("Ollama is running");
    case "GET /api/version":
      return json({ version: "0.21.0" });
    case "GET /api/tags":
      return json({ models: entries });
    case "GET /api/ps": {
      const loaded = state.coldForMs > 0 || state.sleeping ? [] : models;
      return json({
        models: entries.slice(0, loaded.length).map((entry, index) => ({
          ...entry,
          expires_at: "2026-11-20T10:00:00Z",
          size_vram: entry.size,
          context_length: models[index]?.contextWindow ?? 4096,
        })),
      });
    }
    case "POST /api/generate": {
      const asked = isObject(body) ? body : {};
      const id = textOf(asked["model"]);
      if (!models.some((model) => model.id === id)) return json({ error: `model '${id}' not found` }, 404);
      const unloads = asked["keep_alive"] === 0;
      const afterMs = unloads ? 0 : state.wake();
      if (unloads) state.sleeping = true;
      const done = { done: true, done_reason: unloads ? "unload" : "load" };
      return { ...json({ model: id, created_at: "2026-11-20T09:00:00Z", response: "", ...done }), afterMs };
    }
    case "POST /api/show": {
      const id = isObject(body) ? textOf(body["model"] ?? body["name"]) : "";
      const at = models.findIndex((model) => model.id === id);
      if (at < 0) return json({ error: `model '${id}' not found` }, 404);
      const window = models[at]?.contextWindow ?? DEFAULT_WINDOW;
      return json({
        details: entries[at]?.details,
        model_info: { "general.architecture": "qwen2", "qwen2.context_length": window },
        capabilities: ["completion", "tools", "vision", "thinking"],
      });
    }
    default:
      return null;
  }
}

function modelList(server: ChatServer, models: readonly ModelSpec[]): Json {
  const data = models.map((model) => modelEntry(server, model));
  return { object: "list", data };
}

function modelEntry(server: ChatServer, model: ModelSpec): Json {
  const window = model.contextWindow ?? DEFAULT_WINDOW;
  const base = { id: model.id, object: "model", created: CREATED };
  switch (server) {
    case "vllm":
      return { ...base, owned_by: "vllm", root: model.id, parent: null, max_model_len: window, permission: [] };
    case "llamacpp":
      return {
        ...base,
        owned_by: "llamacpp",
        meta: { vocab_type: 2, n_vocab: 152064, n_ctx_train: Math.max(window, 131_072), n_embd: 3584 },
      };
    case "ollama":
      return { ...base, owned_by: "library" };
    case "openai":
      return { ...base, owned_by: "system" };
  }
}

function unavailable(): Json {
  return { error: { message: "Service Unavailable", type: "ServiceUnavailableError", param: null, code: 503 } };
}

function json(body: Json, status = 200): Page {
  return { status, body, contentType: "application/json" };
}

function plain(body: string, contentType = "text/plain; charset=utf-8"): Page {
  return { status: 200, body, contentType };
}
