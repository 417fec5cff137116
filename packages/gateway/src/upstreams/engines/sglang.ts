import { type Engine, isName, jsonAt, listedModels, positive, stateFromHealth } from "./engine.ts";
import { maxOf, readMetrics, sumOf } from "./metrics.ts";

const running = "sglang:num_running_reqs";
const waiting = "sglang:num_queue_reqs";
const tokenUsage = "sglang:token_usage";

/** @see docs/spec/wire-formats.md 8.1 */
export const sglang: Engine = {
  name: "sglang",
  label: "SGLang",
  defaultPort: 30000,
  paths: ["/health", "/v1/models", "/get_model_info"],
  healthPath: "/health",
  metricsPath: "/metrics",

  identify(answers) {
    if (listedModels(answers).some((model) => model["owned_by"] === "sglang")) return true;
    const info = jsonAt(answers, "/get_model_info");
    return isName(info?.["model_path"]) && "is_generation" in (info ?? {});
  },

  listModels(answers) {
    return listedModels(answers).map((entry) => ({
      id: entry.id,
      contextWindow: positive(entry["max_model_len"]),
      adapterOf: isName(entry["parent"]) ? entry["parent"] : undefined,
    }));
  },

  slots: () => undefined,

  readState: (answers) => stateFromHealth(answers, "/health", "loading"),

  readLoad(metrics) {
    const samples = readMetrics(metrics, [running, waiting, tokenUsage]);
    return {
      running: sumOf(samples, running),
      waiting: sumOf(samples, waiting),
      kvUsage: maxOf(samples, tokenUsage),
    };
  },
};
