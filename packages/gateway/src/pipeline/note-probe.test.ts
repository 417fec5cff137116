import { expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { LiveState } from "../routing/live-state.ts";
import { noteProbe, noteUnprobed } from "./note-probe.ts";

const limits = { failures: 5, failureRate: 0.5, minTries: 20, windowMs: 30_000, cooldownMs: 60_000, halfOpenTrials: 3 };

test("a model of an engine that loads as it starts is taken for loaded where nobody probes, others may have to load", () => {
  const live = new LiveState(limits);
  for (const [engine, mayLoad] of [
    ["vllm", false],
    ["ollama", true],
    [undefined, true],
  ] as const) {
    const on = upstream(`gpu-${engine}`, "local", { engine, health: undefined });
    const target = deployment(on, "m");
    noteUnprobed(on, live, [target]);
    expect(live.mayLoad(target, 1)).toBe(mayLoad);
  }
});

test("a cold start is allowed for what is cold or loading, not for what failed", () => {
  const live = new LiveState(limits);
  const on = upstream("gpu", "local", { engine: "vllm" });
  const target = deployment(on, "m");
  const probe = (health: "ready" | "loading" | "unreachable") => noteProbe(on, { health }, live, [target], 1);
  probe("unreachable");
  expect([live.readiness(target, 1), live.mayLoad(target, 1)]).toEqual(["cold", true]);
  probe("ready");
  expect(live.mayLoad(target, 1)).toBe(false);
  probe("loading");
  expect(live.mayLoad(target, 1)).toBe(true);
  probe("ready");
  probe("unreachable");
  expect([live.readiness(target, 1), live.mayLoad(target, 1)]).toEqual(["failed", false]);
});
