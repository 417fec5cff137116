import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dataLines, postChat, readError, say } from "../setup/clients.ts";
import { claudeModels, localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";

/** What one request may cost upstreams: everything at its defaults but the pauses. */
let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig({
    config: {
      models: {
        "openai-alone": { targets: [openaiModel], fallback: [] },
        "opus-alone": { targets: ["claude-opus-4-8"], fallback: [] },
      },
      routing: { breaker: { failures: 1_000 } },
    },
  });
  url = rig.gateway.url;
});

beforeEach(async () => {
  await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.reset()));
});

async function ask(body: ReturnType<typeof say>) {
  const response = await postChat(url, body);
  const text = await response.text();
  return { response, text, status: response.status, target: response.headers.get("x-router-target") };
}

const modelsOf = async (simulator: Rig["local"]) => (await simulator.generations()).map((hit) => hit.model);

describe("a failure that passes", () => {
  for (const stream of [false, true]) {
    test(`is tried once more at the same target and the client sees nothing of it${stream ? ", streamed" : ""}`, async () => {
      await rig.local.setFault({ spec: "status=500", times: 1 });
      const { status, target, response } = await ask(say("Hi", { model: "local", stream }));
      expect({ status, target }).toEqual({ status: 200, target: `vllm/${localModel}` });
      expect(response.headers.get("x-router-fallback")).toBeNull();
      expect(await modelsOf(rig.local)).toEqual([localModel, localModel]);
    });
  }

  test("that asks for a short wait is waited for where nobody else can serve", async () => {
    await rig.openai.setFault({ spec: "status=429;retry-after-ms=300", times: 1 });
    const startedAt = performance.now();
    expect((await ask(say("Hi", { model: "openai-alone" }))).status).toBe(200);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
    expect(await modelsOf(rig.openai)).toHaveLength(2);
  });
});

test("a client's own fault is told at once and tried nowhere else", async () => {
  await rig.anthropic.setFault({ spec: "status=400" });
  const response = await postChat(url, say("Hi", { model: "claude-haiku-4-5-20251001" }));
  expect(response.status).toBe(400);
  expect(await readError(response)).toMatchObject({ type: "invalid_request_error" });
  expect(await modelsOf(rig.anthropic)).toHaveLength(1);
  expect(await modelsOf(rig.openai)).toEqual([]);
});

test("one request never costs more than four attempts", async () => {
  await Promise.all([rig.anthropic, rig.openai].map((simulator) => simulator.setFault({ spec: "status=500" })));
  expect((await ask(say("Hi", { model: "claude-sonnet-4-6" }))).status).toBe(502);
  const attempts = [...(await modelsOf(rig.anthropic)), ...(await modelsOf(rig.openai))];
  expect(attempts.length).toBeLessThanOrEqual(4);
});

test("a provider that is gone does not use up the attempts of the next one", async () => {
  await rig.anthropic.setFault({ spec: "status=500" });
  for (const model of claudeModels) {
    const { status, target } = await ask(say("Hi", { model }));
    expect({ status, target }).toEqual({ status: 200, target: `openai/${openaiModel}` });
  }
});

test("`auto` reaches the next provider when the first one fails", async () => {
  await rig.anthropic.setFault({ spec: "status=500" });
  const { status, target } = await ask(say("Write a long story.", { max_tokens: 2_000 }));
  expect({ status, target }).toEqual({ status: 200, target: `openai/${openaiModel}` });
});

test.each(["local", "claude-opus-4-8", openaiModel])(
  "an answer without any text is an answer, from %s",
  async (model) => {
    for (const stream of [false, true]) {
      await rig.local.clearHits();
      const { status, text, response } = await ask(say("[[sim:text=]]", { model, stream }));
      expect(status, text).toBe(200);
      expect(response.headers.get("x-router-fallback")).toBeNull();
      if (stream) expect(dataLines(text).at(-1)).toBe("[DONE]");
    }
  },
);

describe("a wait that an upstream asked for", () => {
  // Last in this file: the targets are left alone from here on.
  test("is told to the client at once when it is long and nobody else can serve", async () => {
    await rig.anthropic.setFault({ spec: "status=429;retry-after=25" });
    const { response, text } = await ask(say("Hi", { model: "opus-alone" }));
    expect(response.status).toBe(429);
    expect(Number(response.headers.get("retry-after"))).toBe(25);
    expect(response.headers.get("x-should-retry")).toBe("true");
    expect(text).toContain("rate_limit_exceeded");
    expect(await modelsOf(rig.anthropic)).toEqual(["claude-opus-4-8"]);
  });

  test("an upstream that asked to be left alone is left alone, and the reason says so", async () => {
    await rig.local.setFault({ spec: "status=429;retry-after=30", times: 1 });
    const first = await ask(say("Hi", { model: "local" }));
    expect(first.response.headers.get("x-router-fallback")).toBe(`vllm/${localModel};rate_limited`);
    const second = await ask(say("Hi", { model: "local" }));
    expect(second.status).toBe(200);
    expect(second.response.headers.get("x-router-reason")).toBe("rate_limited");
    expect(await modelsOf(rig.local)).toHaveLength(1);
  });
});
