import { afterEach, expect, test } from "bun:test";
import type { FlavourName } from "../src/flavour.ts";
import { type Simulator, startSimulator } from "../src/start-simulator.ts";

let simulator: Simulator;
afterEach(() => simulator.stop());

async function start(flavour: FlavourName): Promise<(path: string) => Promise<{ status: number; text: string }>> {
  simulator = await startSimulator({ flavour, models: [{ id: "m", contextWindow: 8192 }], slots: 2 });
  return async (path) => {
    const response = await fetch(simulator.url + path);
    return { status: response.status, text: await response.text() };
  };
}

test("vLLM answers its status routes", async () => {
  const get = await start("vllm");
  expect(await get("/health")).toEqual({ status: 200, text: "" });
  expect(JSON.parse((await get("/v1/models")).text).data[0]).toMatchObject({ owned_by: "vllm", max_model_len: 8192 });
  expect((await get("/is_sleeping")).text).toBe('{"is_sleeping":false}');
  expect((await get("/metrics")).text).toContain('vllm:num_requests_running{engine="0",model_name="m"} 0.0\n');
  expect(await get("/nowhere")).toEqual({ status: 404, text: '{"detail":"Not Found"}' });
});

test("llama.cpp answers its status routes, and 503 while loading", async () => {
  const get = await start("llamacpp");
  expect((await get("/health")).text).toBe('{"status":"ok"}');
  expect(JSON.parse((await get("/v1/models")).text).data[0]).toMatchObject({
    owned_by: "llamacpp",
    meta: { n_ctx_train: 131072 },
  });
  expect(JSON.parse((await get("/props")).text)).toMatchObject({
    total_slots: 2,
    default_generation_settings: { n_ctx: 8192 },
  });
  expect(JSON.parse((await get("/slots")).text)).toHaveLength(2);
  simulator.setState({ metrics: { running: 2 } });
  expect((await get("/slots?fail_on_no_slot=1")).status).toBe(503);
  expect((await get("/metrics")).text).toContain("llamacpp:requests_processing 2.0");
  simulator.setCold(60_000);
  const loading = { error: { code: 503, message: "Loading model", type: "unavailable_error" } };
  const health = await get("/health");
  expect([health.status, JSON.parse(health.text)]).toEqual([503, loading]);
});

test("Ollama answers its status routes and has no metrics", async () => {
  const get = await start("ollama");
  expect((await get("/")).text).toBe("Ollama is running");
  expect(JSON.parse((await get("/api/version")).text)).toHaveProperty("version");
  expect(JSON.parse((await get("/api/tags")).text).models[0].name).toBe("m");
  expect(JSON.parse((await get("/api/ps")).text).models[0].context_length).toBe(8192);
  expect((await get("/metrics")).status).toBe(404);
});

const post = async (path: string, body?: unknown): Promise<{ status: number; text: string }> => {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(simulator.url + path, { method: "POST", ...json });
  return { status: response.status, text: await response.text() };
};
const chat = { model: "m", messages: [{ role: "user", content: "[[sim:tokens=1]]" }] };

test("vLLM that sleeps stays healthy, refuses work, and takes its time to wake", async () => {
  const get = await start("vllm");
  await post("/sleep?level=1");
  expect([(await get("/health")).status, (await get("/is_sleeping")).text]).toEqual([200, '{"is_sleeping":true}']);
  expect((await post("/v1/chat/completions", chat)).status).toBe(503);
  simulator.setState({ wakeMs: 60 });
  await post("/wake_up?tags=weights");
  expect((await get("/is_sleeping")).text).toBe('{"is_sleeping":true}');
  const began = performance.now();
  expect((await post("/wake_up")).status).toBe(200);
  expect(performance.now() - began).toBeGreaterThan(50);
  expect((await get("/is_sleeping")).text).toBe('{"is_sleeping":false}');
  expect((await post("/v1/chat/completions", chat)).status).toBe(200);
});

test("Ollama loads a model for a call without a prompt, and for the request that needs it", async () => {
  const get = await start("ollama");
  const loaded = async () => JSON.parse((await get("/api/ps")).text).models.length;
  expect(JSON.parse((await post("/api/generate", { model: "m", keep_alive: 0 })).text).done_reason).toBe("unload");
  expect(await loaded()).toBe(0);
  simulator.setState({ wakeMs: 60 });
  expect(JSON.parse((await post("/api/generate", { model: "m" })).text).done_reason).toBe("load");
  expect(await loaded()).toBe(1);
  simulator.setState({ sleeping: true });
  const began = performance.now();
  expect((await post("/v1/chat/completions", chat)).status).toBe(200);
  expect([performance.now() - began > 50, await loaded()]).toEqual([true, 1]);
  expect((await post("/api/generate", { model: "other" })).status).toBe(404);
});
