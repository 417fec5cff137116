import { expect, test } from "bun:test";
import { startSimulator } from "@fairlead/simulator/start-simulator";
import { engines } from "../upstreams/engines/registry.ts";
import { discover } from "./discover.ts";

const look = (origin: string) => discover(origin, (url, init) => fetch(url, init), 2_000);

for (const flavour of ["vllm", "llamacpp", "ollama"] as const) {
  test(`a simulated ${flavour} is recognised with its model and window, and its load is read`, async () => {
    const simulator = await startSimulator({ flavour, models: [{ id: "m", contextWindow: 8_192 }] });
    try {
      const found = await look(simulator.url);
      expect(found).toMatchObject({ kind: "server", preset: flavour });
      expect("models" in found && found.models.map(({ id }) => id)).toEqual([
        flavour === "ollama" ? expect.stringMatching(/^m/) : "m",
      ]);
      if (flavour !== "ollama") expect("models" in found && found.models[0]?.contextWindow).toBe(8_192);
      const { metricsPath } = engines[flavour];
      if (metricsPath === undefined) return;
      const load = engines[flavour].readLoad(await (await fetch(simulator.url + metricsPath, { proxy: false })).text());
      expect(load).toMatchObject({ running: 0, waiting: 0 });
    } finally {
      await simulator.stop();
    }
  });
}

test("a simulated cloud is no server of one's own", async () => {
  const simulator = await startSimulator({ flavour: "openai", models: [{ id: "gpt-4o" }] });
  try {
    expect(await look(simulator.url)).toMatchObject({ kind: "unknown-server" });
  } finally {
    await simulator.stop();
  }
});
