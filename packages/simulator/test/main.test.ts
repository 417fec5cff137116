import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { type BenchUpstream, startBenchUpstream } from "../src/bench-upstream.ts";
import { type ControlClient, controlClient } from "../src/control-client.ts";

let child: ChildProcess;
let url: string;
let control: ControlClient;

beforeAll(async () => {
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const args = [main, "--flavour", "vllm", "--model", "a/b@512", "--model", "c", "--slots", "2"];
  child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
  ({ url } = JSON.parse(line) as { url: string });
  control = controlClient(url);
});
afterAll(async () => {
  child.kill("SIGTERM");
  if (child.exitCode === null) await once(child, "exit");
});

test("runs as a process that the control API drives", async () => {
  const models = (await (await fetch(`${url}/v1/models`)).json()) as {
    data: { id: string; max_model_len: number; owned_by: string }[];
  };
  expect(models.data).toMatchObject([
    { id: "a/b", max_model_len: 512, owned_by: "vllm" },
    { id: "c", max_model_len: 32768 },
  ]);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "k", maxRetries: 0 });
  const waiting = control.waitForHit({ path: "/v1/chat/completions", ended: true, contains: "needle" });
  await client.chat.completions.create({ model: "c", messages: [{ role: "user", content: "a needle" }] });
  expect(await waiting).toMatchObject({ model: "c", status: 200, aborted: false });
  await control.setState({ healthy: false, metrics: { running: 3, waiting: 7, kvUsage: 0.91 } });
  expect((await fetch(`${url}/health`)).status).toBe(503);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    'vllm:kv_cache_usage_perc{engine="0",model_name="a/b"} 0.91',
  );
  await control.reset();
  expect(await control.hits()).toEqual([]);
  expect(control.waitForHit({ status: 599 }, 20)).rejects.toThrow("no such hit within 20 ms");
});

test("the load target answers 1 KB of JSON and 50 chunks", async () => {
  const upstream: BenchUpstream = startBenchUpstream();
  const post = async (path: string, stream: boolean, headers: Record<string, string> = {}) =>
    await (await fetch(upstream.url + path, { method: "POST", headers, body: JSON.stringify({ stream }) })).text();
  for (const [path, mark] of [
    ["/v1/chat/completions", "data: [DONE]"],
    ["/v1/messages", "event: message_stop"],
  ] as const) {
    expect((await post(path, false)).length).toBe(1024);
    const burst = await post(path, true);
    expect([burst.match(/word\d+ /g)?.length, burst.includes(mark)]).toEqual([50, true]);
    expect(await post(path, true, { "x-bench-pace-ms": "1" })).toBe(burst);
  }
  await upstream.stop();
});
