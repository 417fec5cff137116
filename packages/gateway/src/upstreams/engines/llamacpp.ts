import { isObject } from "../../lib/json.ts";
import {
  type Engine,
  jsonAt,
  listedModels,
  type ModelLoad,
  type ProbeAnswers,
  positive,
  stateFromHealth,
} from "./engine.ts";
import { readMetrics, sumOf } from "./metrics.ts";

const running = "llamacpp:requests_processing";
const waiting = "llamacpp:requests_deferred";

/** The window one request gets. `/v1/models` only tells the window the model was trained with. */
function servedWindow(answers: ProbeAnswers): number | undefined {
  const settings = jsonAt(answers, "/props")?.["default_generation_settings"];
  return isObject(settings) ? positive(settings["n_ctx"]) : undefined;
}

/** @see docs/spec/wire-formats.md 8.1 */
export const llamacpp: Engine = {
  name: "llamacpp",
  label: "llama.cpp",
  defaultPort: 8080,
  paths: ["/health", "/v1/models", "/props"],
  healthPath: "/health",
  // A router of several models tells which of them run; one that was started with its model does not.
  statusPage: {
    path: "/models",
    read({ status, body }) {
      const data = status === 200 && isObject(body) ? body["data"] : undefined;
      if (!Array.isArray(data)) return undefined;
      const loads = new Map<unknown, ModelLoad>();
      for (const entry of data.filter(isObject)) {
        const told = isObject(entry["status"]) ? entry["status"]["value"] : undefined;
        const load = told === "sleeping" || told === "downloading" ? "unloaded" : told;
        if (load === "loaded" || load === "loading" || load === "unloaded") loads.set(entry["id"], load);
      }
      return loads.size === 0 ? undefined : { isAsleep: false, loadOf: (model) => loads.get(model) };
    },
  },
  metricsPath: "/metrics",

  identify(answers) {
    if (listedModels(answers).some((model) => model["owned_by"] === "llamacpp")) return true;
    return isObject(jsonAt(answers, "/props")?.["default_generation_settings"]);
  },

  listModels(answers) {
    const contextWindow = servedWindow(answers);
    return listedModels(answers).map((entry) => ({ id: entry.id, contextWindow, adapterOf: undefined }));
  },

  slots: (answers) => positive(jsonAt(answers, "/props")?.["total_slots"]),

  readState(answers) {
    const health = stateFromHealth(answers, "/health", "loading");
    if (health === "ready" && jsonAt(answers, "/props")?.["is_sleeping"] === true) return "sleeping";
    return health;
  },

  readLoad(metrics) {
    const samples = readMetrics(metrics, [running, waiting]);
    return { running: sumOf(samples, running), waiting: sumOf(samples, waiting), kvUsage: undefined };
  },
};
