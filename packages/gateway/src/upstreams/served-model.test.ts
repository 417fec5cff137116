import { expect, test } from "bun:test";
import { startSimulator } from "@fairlead/simulator/start-simulator";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { openKeyStore } from "../../test/fixtures/open-key-store.ts";
import { answer, hang, refuse, type Script, ScriptedTransport } from "../../test/fixtures/scripted-transport.ts";
import { buildGateway } from "../build-gateway.ts";
import { acceptConfig } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { systemClock } from "../lib/clock.ts";
import { adoptServedModel } from "./served-model.ts";
import { FetchTransport } from "./transport.ts";

const list = (...models: readonly object[]): Script => answer(200, { data: models });

function assumed(script: Script) {
  const clock = new FakeClock();
  const transport = new ScriptedTransport({ v: [script] });
  const on = upstream("v", "local", { headers: { "x-team": "a" } });
  let model = "assumed";
  const target = deployment(on, model, {
    adoptModel(served) {
      model = served;
    },
  });
  const ask = () => adoptServedModel(on, { transport, clock, deployments: [target] });
  return { clock, transport, ask, model: () => model };
}

test.each([
  ["the first model of the list", list({ id: "one" }, { id: "two" }), "one"],
  ["the assumed model, where it is listed at all", list({ id: "one" }, { id: "assumed" }), "assumed"],
  ["no adapter before its base", list({ id: "adapter", parent: "base" }, { id: "base" }), "base"],
  ["what was assumed, while nothing is listed", list(), "assumed"],
  ["what was assumed, while the list fails", answer(503, {}), "assumed"],
  ["what was assumed, while nobody answers", refuse, "assumed"],
])("an assumed model becomes %s", async (_, script, expected) => {
  const it = assumed(script);
  await it.ask();
  expect(it.model()).toBe(expected);
  expect(it.transport.sent[0]?.request).toMatchObject({
    method: "GET",
    url: "http://127.0.0.1:9/v1/models",
    headers: { "x-team": "a", "user-agent": "fairlead" },
  });
});

test("a list that never comes is given up when a probe would be", async () => {
  const it = assumed(hang);
  const asking = it.ask();
  it.clock.advance(1_000);
  await asking;
  expect(it.model()).toBe("assumed");
});

test("a configured model is never asked for", async () => {
  const transport = new ScriptedTransport({});
  const on = upstream("v", "local");
  await adoptServedModel(on, { transport, clock: new FakeClock(), deployments: [deployment(on, "mine")] });
  expect(transport.sent).toEqual([]);
});

test("a server that comes up after the gateway is asked for the model it serves", async () => {
  const first = await startSimulator({ flavour: "vllm", models: [{ id: "unused" }] });
  await first.stop();
  const env = { VLLM_BASE_URL: first.url };
  const { config, assumed } = await zeroConfig({ env, spots: [] });
  const resolved = resolveCatalogue(acceptConfig(config).config, { env, assumed });
  const transport = new FetchTransport();
  const gateway = buildGateway({ ...resolved, keys: openKeyStore, transport });
  const [on] = resolved.upstreams;
  if (on === undefined) throw new Error("no upstream");
  const probed = () =>
    adoptServedModel(on, { transport, clock: systemClock, deployments: resolved.catalogue.deployments });
  const ask = async (): Promise<number> => {
    const body = JSON.stringify({ model: "local", messages: [{ role: "user", content: "Hello" }] });
    const headers = { "content-type": "application/json" };
    const response = await gateway.fetch(
      new Request("http://gateway/v1/chat/completions", { method: "POST", headers, body }),
    );
    await response.text();
    return response.status;
  };
  const serve = (id: string) => startSimulator({ flavour: "vllm", port: first.port, models: [{ id }] });

  await probed();
  expect(await ask()).toBeGreaterThanOrEqual(500);
  let simulator = await serve("mistralai/Mistral-7B");
  try {
    expect(await ask()).toBe(404);
    await probed();
    expect(await ask()).toBe(200);
    await simulator.stop();
    simulator = await serve("google/gemma");
    await probed();
    expect(await ask()).toBe(200);
    expect(resolved.catalogue.names.get("qwen2.5-7b")?.targets[0]).toMatchObject({ id: "vllm/qwen2.5-7b" });
  } finally {
    await gateway.close();
    await simulator.stop();
  }
});
