import { isObject } from "../../lib/json.ts";
import { type Engine, isName, jsonAt, listedModels, positive, type ServedModel, stateFromHealth } from "./engine.ts";
import { maxOf, readMetrics, sumOf } from "./metrics.ts";

const running = "vllm:num_requests_running";
const waiting = "vllm:num_requests_waiting";
const kvUsage = "vllm:kv_cache_usage_perc";
const kvUsageBefore = "vllm:gpu_cache_usage_perc";

/** @see docs/spec/wire-formats.md 8.1 */
export const vllm: Engine = {
  name: "vllm",
  label: "vLLM",
  defaultPort: 8000,
  paths: ["/health", "/v1/models", "/version", "/is_sleeping"],
  healthPath: "/health",
  // It stays healthy while it sleeps. Only a server in development mode tells.
  statusPage: {
    path: "/is_sleeping",
    read({ status, body }) {
      const isAsleep = status === 200 && isObject(body) ? body["is_sleeping"] : undefined;
      return typeof isAsleep === "boolean" ? { isAsleep, loadOf: () => undefined } : undefined;
    },
  },
  metricsPath: "/metrics",

  identify(answers) {
    const models = listedModels(answers);
    if (models.some((model) => model["owned_by"] === "vllm")) return true;
    const foreignOwner = models.some((model) => model["owned_by"] === "sglang");
    return (
      !foreignOwner && isName(jsonAt(answers, "/version")?.["version"]) && models.some((m) => "max_model_len" in m)
    );
  },

  listModels(answers) {
    const entries = listedModels(answers);
    const windows = new Map(entries.map((entry) => [entry.id, positive(entry["max_model_len"])]));
    return entries.map((entry): ServedModel => {
      const adapterOf = isName(entry["parent"]) ? entry["parent"] : undefined;
      const inherited = adapterOf === undefined ? undefined : windows.get(adapterOf);
      return { id: entry.id, contextWindow: windows.get(entry.id) ?? inherited, adapterOf };
    });
  },

  slots: () => undefined,

  readState(answers) {
    // A sleeping server stays healthy; 503 means that the engine died.
    const sleep = answers.get("/is_sleeping")?.body;
    if (isObject(sleep) && sleep["is_sleeping"] === true) return "sleeping";
    return stateFromHealth(answers, "/health", "down");
  },

  readLoad(metrics) {
    const samples = readMetrics(metrics, [running, waiting, kvUsage, kvUsageBefore]);
    return {
      running: sumOf(samples, running),
      waiting: sumOf(samples, waiting),
      kvUsage: maxOf(samples, kvUsage) ?? maxOf(samples, kvUsageBefore),
    };
  },
};
