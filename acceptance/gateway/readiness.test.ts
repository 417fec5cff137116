import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postChat, say } from "../setup/clients.ts";
import { claudeModels, localModel, type Rig, startRig } from "../setup/rig.ts";
import { untilUpstream } from "../setup/upstream-states.ts";

let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig({
    config: {
      routing: { retriesPerTarget: 0, breaker: { failures: 5, cooldownMs: 700, halfOpenTrials: 3 } },
    },
    upstreams: () => ({ vllm: { health: { intervalMs: 100 } } }),
  });
  url = rig.gateway.url;
});

beforeEach(async () => {
  await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.reset()));
  await untilUpstream(url, "vllm", ({ readiness }) => readiness === "ready");
});

async function ask(more: Readonly<Record<string, unknown>> = {}) {
  const response = await postChat(url, say("[[sim:tokens=3]]", { model: "local", ...more }));
  await response.text();
  return {
    status: response.status,
    backend: response.headers.get("x-router-backend"),
    target: response.headers.get("x-router-target"),
    reason: response.headers.get("x-router-reason"),
    fallback: response.headers.get("x-router-fallback"),
  };
}

const served = async () => (await rig.local.generations()).length;

describe("a cold local model", () => {
  test("is replaced by cloud without being asked, and serves again when it is warm", async () => {
    await rig.local.setState({ coldMs: 1_500 });
    await untilUpstream(url, "vllm", ({ readiness }) => readiness === "cold");
    const cold = await ask();
    expect(cold).toMatchObject({
      status: 200,
      backend: "cloud",
      target: "anthropic/claude-sonnet-4-6",
      reason: "local_cold",
      fallback: `vllm/${localModel};local_cold`,
    });
    expect(await served()).toBe(0);
    await untilUpstream(url, "vllm", ({ readiness }) => readiness === "ready");
    expect(await ask()).toMatchObject({ status: 200, backend: "local", reason: "alias", fallback: null });
  });

  test("is replaced for `auto` and for streams as well", async () => {
    await rig.local.setState({ coldMs: 60_000 });
    await untilUpstream(url, "vllm", ({ readiness }) => readiness === "cold");
    expect(await ask({ model: "auto" })).toMatchObject({ status: 200, backend: "cloud", reason: "local_cold" });
    expect(await ask({ stream: true })).toMatchObject({ status: 200, backend: "cloud", reason: "local_cold" });
  });

  test("that nobody knew to be cold is found out by the request itself, which cloud then serves", async () => {
    // The fault answers like a loading engine while the health route stays as it was.
    await rig.local.setFault({ spec: "cold=30", times: 1 });
    expect(await ask()).toMatchObject({ status: 200, backend: "cloud", fallback: `vllm/${localModel};model_loading` });
  });
});

test("a local model that is down is replaced by cloud and comes back", async () => {
  await rig.local.setState({ healthy: false });
  await untilUpstream(url, "vllm", ({ healthy }) => !healthy);
  const down = await ask();
  expect(down).toMatchObject({ status: 200, backend: "cloud" });
  expect(down.reason).toMatch(/^local_(down|cold)$/);
  expect(await served()).toBe(0);
  await rig.local.setState({ healthy: true });
  await untilUpstream(url, "vllm", ({ healthy }) => healthy);
  expect((await ask()).backend).toBe("local");
});

describe("the circuit breaker", () => {
  test("opens after five failures, spares the upstream, and closes after three good trials", async () => {
    await rig.local.setFault({ spec: "status=500" });
    for (let i = 0; i < 5; i++) {
      expect(await ask()).toMatchObject({
        status: 200,
        backend: "cloud",
        fallback: `vllm/${localModel};upstream_error`,
      });
    }
    expect(await served()).toBe(5);
    expect(await ask()).toMatchObject({ status: 200, backend: "cloud", reason: "breaker_open" });
    expect(await served()).toBe(5);
    await rig.local.setFault(null);
    await untilUpstream(url, "vllm", ({ models }) => models[0]?.breaker !== "open");
    for (let i = 0; i < 3; i++) expect((await ask()).backend).toBe("local");
    const { models } = await untilUpstream(url, "vllm", (state) => state.models[0]?.breaker === "closed");
    expect(models[0]?.in_flight).toBe(0);
  });

  test("does not open for a client's own faults", async () => {
    await rig.local.setFault({ spec: "status=400" });
    for (let i = 0; i < 7; i++) expect((await ask()).status).toBe(400);
    expect(await served()).toBe(7);
    await rig.local.setFault(null);
    expect((await ask()).backend).toBe("local");
  });

  test("opens for streams that break after their first content", async () => {
    await rig.local.setFault({ spec: "error-mid" });
    for (let i = 0; i < 5; i++) {
      const response = await postChat(url, say("[[sim:tokens=20]]", { model: "local", stream: true }));
      expect(await response.text()).not.toContain("[DONE]");
    }
    expect(await ask()).toMatchObject({ status: 200, reason: "breaker_open" });
    await rig.local.setFault(null);
    await untilUpstream(url, "vllm", ({ models }) => models[0]?.breaker !== "open");
    for (let i = 0; i < 3; i++) expect((await ask()).status).toBe(200);
  });

  test("clients that leave do not open it", async () => {
    for (let i = 0; i < 6; i++) {
      const before = (await rig.local.generations()).length;
      const controller = new AbortController();
      const call = postChat(url, say("[[sim:ttft=60000]]", { model: "local" }), {}, controller.signal);
      await rig.local.waitForHit({ method: "POST", aborted: false, ended: false });
      controller.abort();
      await expect(call).rejects.toThrow();
      await rig.local.waitForHit({ method: "POST", aborted: true });
      expect((await rig.local.generations()).length).toBe(before + 1);
      await rig.local.clearHits();
    }
    expect((await ask()).backend).toBe("local");
  });
});

describe("cloud", () => {
  test("that fails hands over to the next provider", async () => {
    await rig.anthropic.setFault({ spec: "status=503" });
    expect(await ask({ model: "claude-opus-4-8" })).toMatchObject({
      status: 200,
      target: "openai/gpt-4o-mini",
      fallback: "anthropic/claude-opus-4-8;overloaded",
    });
    const asked = (await rig.anthropic.generations()).map((hit) => hit.model);
    expect(asked).toEqual([claudeModels[0], claudeModels[2]]);
  });

  test("never hands over to the local model", async () => {
    await Promise.all([rig.anthropic, rig.openai].map((cloud) => cloud.setFault({ spec: "status=503" })));
    const answer = await ask({ model: "cloud" });
    expect(answer.status).toBe(503);
    expect(await served()).toBe(0);
  });
});
