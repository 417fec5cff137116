import { describe, expect, test } from "bun:test";
import { engineNames } from "@fairlead/contract/names";
import vectors from "../../../test/vectors/servers.json";
import type { Engine, ProbeAnswer, ProbeAnswers } from "./engine.ts";
import { engines } from "./registry.ts";

function answers(bodies: Record<string, unknown>): ProbeAnswers {
  const entries = Object.entries(bodies).map(([path, body]): [string, ProbeAnswer] => {
    return [
      path,
      typeof body === "number" ? { status: body, headers: {}, body: "" } : { status: 200, headers: {}, body },
    ];
  });
  return new Map(entries);
}

interface Vector {
  readonly id: string;
  readonly title: string;
  readonly given: Record<string, unknown> & { readonly kind: string };
  readonly expect: Record<string, unknown>;
}

/** Which probe path each input of a vector stands for. */
const pathOf: Record<string, string> = {
  models: "/v1/models",
  props: "/props",
  health: "/health",
  is_sleeping: "/is_sleeping",
};

describe("vectors of self-hosted servers", () => {
  for (const vector of vectors.vectors as unknown as readonly Vector[]) {
    test(`${vector.id} ${vector.title}`, () => {
      const engine = engines[vector.given.kind as keyof typeof engines];
      const { kind: _, metrics, ...probes } = vector.given;
      const given = answers(Object.fromEntries(Object.entries(probes).map(([key, body]) => [pathOf[key], body])));
      const actual: Record<string, unknown> = {};
      if (typeof metrics === "string") {
        const load = engine.readLoad(metrics);
        Object.assign(actual, { running: load.running, waiting: load.waiting, kv_usage: load.kvUsage ?? null });
      }
      if ("models" in vector.expect) {
        actual["models"] = engine.listModels(given).map((model) => ({
          id: model.id,
          context: model.contextWindow,
          ...(model.adapterOf === undefined ? {} : { adapter_of: model.adapterOf }),
        }));
      }
      if ("slots" in vector.expect) actual["slots"] = engine.slots(given);
      if ("state" in vector.expect) actual["state"] = engine.readState(given);
      expect(actual).toEqual(vector.expect);
    });
  }
});

describe("identify", () => {
  const samples: Record<(typeof engineNames)[number], ProbeAnswers> = {
    vllm: answers({
      "/version": { version: "0.32.0" },
      "/v1/models": { object: "list", data: [{ id: "qwen", owned_by: "vllm", max_model_len: 32768 }] },
    }),
    llamacpp: answers({
      "/v1/models": { data: [{ id: "m.gguf", owned_by: "llamacpp", meta: { n_ctx_train: 32768 } }] },
      "/props": { default_generation_settings: { n_ctx: 4096 }, total_slots: 1 },
    }),
    ollama: answers({
      "/": "Ollama is running",
      "/api/version": { version: "0.20.1" },
      "/api/tags": { models: [{ name: "qwen2.5:7b" }, { name: "nomic-embed-text:latest" }] },
      "/api/ps": { models: [{ name: "qwen2.5:7b", context_length: 8192 }] },
      "/v1/models": { data: [{ id: "qwen2.5:7b", owned_by: "library" }] },
    }),
    sglang: answers({
      "/v1/models": { data: [{ id: "m", owned_by: "sglang", max_model_len: 32768 }] },
      "/get_model_info": { model_path: "m", is_generation: true },
    }),
    tgi: answers({ "/info": { model_id: "m", max_total_tokens: 4096, max_concurrent_requests: 128 }, "/health": "" }),
  };

  for (const name of engineNames) {
    test(`${name} is recognised by its own answers and by nobody else's`, () => {
      for (const other of engineNames) expect(engines[name].identify(samples[other])).toBe(other === name);
    });
  }

  test("an open port that answers nothing we know is nobody", () => {
    const page = answers({ "/": "<html>hello</html>", "/v1/models": "not found", "/health": { status: "ok" } });
    for (const name of engineNames) expect(engines[name].identify(page)).toBe(false);
  });

  test("Ollama lists chat models with the window they are loaded with", () => {
    expect(engines.ollama.listModels(samples.ollama)).toEqual([
      { id: "qwen2.5:7b", contextWindow: 8192, adapterOf: undefined },
    ]);
  });
});

test("unknown load is not zero load", () => {
  for (const name of engineNames) {
    expect(engines[name].readLoad("# nothing here\nup 1\n")).toEqual({
      running: undefined,
      waiting: undefined,
      kvUsage: undefined,
    });
  }
});

test("no answer is unknown, not down", () => {
  for (const name of engineNames) expect(engines[name].readState(new Map())).toBe("unknown");
});

describe("status pages", () => {
  const page = (body: unknown, status = 200): ProbeAnswer => ({ status, headers: {}, body });
  const readerOf = (name: keyof typeof engines) => (answer: ProbeAnswer) => {
    const { statusPage }: Engine = engines[name];
    return statusPage?.read(answer);
  };

  test("vLLM tells whether it sleeps, where it tells anything", () => {
    const read = readerOf("vllm");
    expect(read(page({ is_sleeping: true }))?.isAsleep).toBe(true);
    expect(read(page({ is_sleeping: false }))?.isAsleep).toBe(false);
    for (const other of [page("Not Found", 404), page({}), page({ is_sleeping: "yes" })]) {
      expect(read(other)).toBeUndefined();
    }
  });

  test("Ollama tells which models are loaded; without a tag a name means the latest", () => {
    const read = readerOf("ollama");
    const status = read(page({ models: [{ name: "llama3:latest" }, { model: "hf.co/org/qwen:Q4" }, 7, {}] }));
    const loads = ["llama3", "llama3:latest", "llama3:8b", "hf.co/org/qwen:Q4", "hf.co/org/qwen"];
    expect(loads.map((model) => status?.loadOf(model))).toEqual(["loaded", "loaded", "unloaded", "loaded", "unloaded"]);
    expect([read(page({})), read(page({ models: [] }, 500))]).toEqual([undefined, undefined]);
  });

  test("llama.cpp tells of each model when it serves several", () => {
    const read = readerOf("llamacpp");
    const data = ["loaded", "loading", "unloaded", "sleeping", "odd"].map((value) => ({
      id: value,
      status: { value },
    }));
    const status = read(page({ data }));
    expect(data.map(({ id }) => status?.loadOf(id))).toEqual(["loaded", "loading", "unloaded", "unloaded", undefined]);
    expect(read(page({ data: [{ id: "only" }] }))).toBeUndefined();
  });
});
