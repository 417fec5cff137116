import { type Engine, isName, jsonAt, listedModels, positive, type ServedModel, stateFromHealth } from "./engine.ts";
import { readMetrics, sumOf } from "./metrics.ts";

const running = "tgi_batch_current_size";
const waiting = "tgi_queue_size";

/** @see docs/spec/wire-formats.md 8.1 */
export const tgi: Engine = {
  name: "tgi",
  label: "TGI",
  defaultPort: 3000,
  paths: ["/health", "/v1/models", "/info"],
  healthPath: "/health",
  metricsPath: "/metrics",

  identify(answers) {
    const info = jsonAt(answers, "/info");
    return isName(info?.["model_id"]) && positive(info["max_total_tokens"]) !== undefined;
  },

  listModels(answers) {
    const info = jsonAt(answers, "/info");
    const contextWindow = positive(info?.["max_total_tokens"]);
    const listed = listedModels(answers).map(
      (entry): ServedModel => ({ id: entry.id, contextWindow, adapterOf: undefined }),
    );
    if (listed.length > 0 || !isName(info?.["model_id"])) return listed;
    return [{ id: info["model_id"], contextWindow, adapterOf: undefined }];
  },

  slots: (answers) => positive(jsonAt(answers, "/info")?.["max_concurrent_requests"]),

  readState: (answers) => stateFromHealth(answers, "/health", "loading"),

  readLoad(metrics) {
    const samples = readMetrics(metrics, [running, waiting]);
    return { running: sumOf(samples, running), waiting: sumOf(samples, waiting), kvUsage: undefined };
  },
};
