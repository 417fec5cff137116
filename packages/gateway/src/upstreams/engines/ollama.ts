import { isObject, type JsonObject } from "../../lib/json.ts";
import { type Engine, isName, jsonAt, type ProbeAnswers, positive, type ServedModel } from "./engine.ts";

/** Its window unless set otherwise; a longer prompt is cut silently, so a guess above it would lose text. */
const defaultWindow = 4_096;

function entriesAt(answers: ProbeAnswers, path: string): readonly JsonObject[] {
  const models = jsonAt(answers, path)?.["models"];
  return Array.isArray(models) ? models.filter(isObject) : [];
}

function idOf(entry: JsonObject): string | undefined {
  if (isName(entry["name"])) return entry["name"];
  return isName(entry["model"]) ? entry["model"] : undefined;
}

/** A name without a tag means the tag `latest`. */
function withTag(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`;
}

function isEmbedding(entry: JsonObject): boolean {
  const details = entry["details"];
  const family = isObject(details) && typeof details["family"] === "string" ? details["family"] : "";
  return family.includes("bert") || (idOf(entry) ?? "").includes("embed");
}

/** @see docs/spec/wire-formats.md 8.1 */
export const ollama: Engine = {
  name: "ollama",
  label: "Ollama",
  defaultPort: 11434,
  paths: ["/", "/api/version", "/api/tags", "/api/ps"],
  healthPath: "/api/version",
  loadsOnRequest: true,
  statusPage: {
    path: "/api/ps",
    read({ status, body }) {
      const models = status === 200 && isObject(body) ? body["models"] : undefined;
      if (!Array.isArray(models)) return undefined;
      const loaded = new Set(models.filter(isObject).map((entry) => withTag(idOf(entry) ?? "")));
      return { isAsleep: false, loadOf: (model) => (loaded.has(withTag(model)) ? "loaded" : "unloaded") };
    },
  },
  metricsPath: undefined,

  identify(answers) {
    const greeting = answers.get("/");
    if (greeting?.status === 200 && typeof greeting.body === "string" && greeting.body.includes("Ollama is running")) {
      return true;
    }
    return (
      isName(jsonAt(answers, "/api/version")?.["version"]) && Array.isArray(jsonAt(answers, "/api/tags")?.["models"])
    );
  },

  listModels(answers) {
    const loaded = new Map(
      entriesAt(answers, "/api/ps").map((entry) => [idOf(entry), positive(entry["context_length"])]),
    );
    const models: ServedModel[] = [];
    for (const entry of entriesAt(answers, "/api/tags")) {
      const id = idOf(entry);
      if (id === undefined || isEmbedding(entry)) continue;
      models.push({ id, contextWindow: loaded.get(id) ?? defaultWindow, adapterOf: undefined });
    }
    return models;
  },

  slots: () => undefined,

  // It loads on request, so a server that answers is ready; the first request after an unload is only slower.
  readState(answers) {
    const status = answers.get("/api/version")?.status;
    if (status === undefined) return "unknown";
    return status === 200 ? "ready" : "down";
  },

  readLoad: () => ({ running: undefined, waiting: undefined, kvUsage: undefined }),
};
