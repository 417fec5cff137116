import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChatBody, postChat, readError, say } from "../setup/clients.ts";
import { localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";

let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig({
    config: {
      aliases: { small: "local", smart: ["no-such-model", "claude-opus-4-8"] },
      models: {
        "gpt-3.5-turbo": { targets: ["@local", openaiModel], fallback: ["claude-haiku-4-5-20251001"] },
        "cheap-only": { targets: [openaiModel], fallback: [] },
      },
      routing: { retriesPerTarget: 0, breaker: { failures: 1_000 } },
    },
  });
  url = rig.gateway.url;
});

beforeEach(async () => {
  await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.reset()));
});

async function route(body: ChatBody, headers: Record<string, string> = {}) {
  const response = await postChat(url, body, headers);
  const get = (name: string) => response.headers.get(name);
  return {
    status: response.status,
    target: get("x-router-target"),
    reason: get("x-router-reason"),
    alias: get("x-router-alias"),
    fallback: get("x-router-fallback"),
    response,
  };
}

const vllm = `vllm/${localModel}`;
const sonnet = "anthropic/claude-sonnet-4-6";
const opus = "anthropic/claude-opus-4-8";
const haiku = "anthropic/claude-haiku-4-5-20251001";
const chars = (n: number): string => "the quick brown fox jumps over it ".repeat(Math.ceil(n / 34)).slice(0, n);

describe("names", () => {
  test.each([
    ["local", vllm, "alias"],
    ["qwen2.5-7b", vllm, "alias"],
    ["cloud", opus, "alias"],
    ["claude", opus, "alias"],
    ["small", vllm, "alias"],
    ["smart", opus, "alias"],
    ["gpt-3.5-turbo", vllm, "alias"],
    ["claude-haiku-4-5-20251001", haiku, "explicit_model"],
    [localModel, vllm, "explicit_model"],
    [`openai/${openaiModel}`, `openai/${openaiModel}`, "explicit_model"],
    [vllm, vllm, "explicit_model"],
  ])("`%s` means %s", async (model, target, reason) => {
    expect(await route(say("Hi", { model }))).toMatchObject({
      status: 200,
      target,
      reason,
      alias: model,
      fallback: null,
    });
  });

  test("an unknown name is routed as `auto` and says so", async () => {
    expect(await route(say("Hi", { model: "claude-sonet-4-6" }))).toMatchObject({
      status: 200,
      target: vllm,
      reason: "unknown_model",
      alias: "claude-sonet-4-6",
    });
  });

  test("a route with an empty fallback fails rather than going elsewhere", async () => {
    await rig.openai.setFault({ spec: "status=500" });
    const { status, response } = await route(say("Hi", { model: "cheap-only" }));
    expect(status).toBe(502);
    expect(await readError(response)).toMatchObject({ type: "server_error", code: "upstream_error" });
    expect(await rig.anthropic.generations()).toEqual([]);
    expect(await rig.local.generations()).toEqual([]);
  });

  test("a route tries its targets in order and then its own fallback", async () => {
    await rig.local.setFault({ spec: "status=500" });
    await rig.openai.setFault({ spec: "status=500" });
    const { target, fallback } = await route(say("Hi", { model: "gpt-3.5-turbo" }));
    expect(target).toBe(haiku);
    expect(fallback).toBe(`${vllm};upstream_error`);
  });
});

describe("the thresholds of `auto` compare characters / 4", () => {
  test.each([
    ["just short enough", 6_000, 100, vllm, "local_adequate"],
    ["just too long", 6_004, 100, sonnet, "prompt_too_long"],
    ["a long output, just allowed", 40, 1_024, vllm, "local_adequate"],
    ["a long output, just too long", 40, 1_025, sonnet, "output_too_long"],
    ["an article of 6,100 characters", 6_100, 150, sonnet, "prompt_too_long"],
    ["4,400 characters with 2,000 tokens out", 4_400, 2_000, sonnet, "output_too_long"],
    ["over 50,000 tokens", 200_100, 100, haiku, "long_context"],
    ["over 100,000 tokens", 400_100, 2_000, /^anthropic\/claude-(opus|sonnet)/, "long_context"],
  ])("%s", async (_, length, max_tokens, target, reason) => {
    const routed = await route(say(chars(length), { max_tokens }));
    expect(routed.status).toBe(200);
    expect(routed.target).toMatch(target);
    expect(routed.reason).toBe(reason);
  });

  test("every part of every message counts, and `max_completion_tokens` counts as `max_tokens`", async () => {
    const parts = [
      { type: "text", text: chars(2_500) },
      { type: "text", text: chars(2_500) },
    ];
    const history = [
      { role: "system", content: chars(1_100) },
      { role: "user", content: parts },
    ];
    expect(await route({ model: "auto", messages: history })).toMatchObject({ reason: "prompt_too_long" });
    expect(await route(say("Hi", { max_completion_tokens: 1_025 }))).toMatchObject({ reason: "output_too_long" });
  });
});

describe("`local` with a prompt beyond its window", () => {
  const large = chars(160_000);

  test("goes to cloud with that reason", async () => {
    expect(await route(say(large, { model: "local" }))).toMatchObject({
      status: 200,
      target: expect.stringMatching(/^anthropic\//),
      reason: "context_window",
      fallback: `${vllm};context_window`,
    });
  });

  test("is a clear 400 where it may not leave", async () => {
    for (const headers of [{ "x-router-data": "local-only" }, { "x-router-strategy": "self_hosted_only" }]) {
      const { status, response } = await route(say(large, { model: "local" }), headers);
      expect(status).toBe(400);
      expect(await readError(response)).toMatchObject({ code: "context_length_exceeded", param: "messages" });
    }
  });
});

describe("strategies", () => {
  test.each([
    ["local_first", 9_000, vllm],
    ["cluster_first", 9_000, vllm],
    ["cloud_first", 20, sonnet],
    ["external_first", 20, sonnet],
    ["cloud_only", 20, sonnet],
    ["self_hosted_only", 9_000, vllm],
    ["auto", 20, vllm],
  ])("`%s` decides in each of its three places", async (strategy, length, target) => {
    const body = say(chars(length));
    expect(await route({ ...body, routing_strategy: strategy })).toMatchObject({ status: 200, target });
    expect(await route({ ...body, routing: { strategy } })).toMatchObject({ status: 200, target });
    expect(await route(body, { "x-router-strategy": strategy })).toMatchObject({ status: 200, target });
  });

  test("the header beats `routing`, and `routing` beats `routing_strategy`", async () => {
    const body = say("Hi", { routing: { strategy: "cloud_only" }, routing_strategy: "self_hosted_only" });
    expect((await route(body)).target).toBe(sonnet);
    expect((await route(body, { "x-router-strategy": "self_hosted_only" })).target).toBe(vllm);
  });

  test("an explicit model beats a strategy", async () => {
    expect((await route(say("Hi", { model: "claude-opus-4-8", routing_strategy: "local_first" }))).target).toBe(opus);
    expect((await route(say("Hi", { model: "local", routing_strategy: "cloud_only" }))).target).toBe(vllm);
  });

  test("`cloud_first` falls to the local model, `cloud_only` does not", async () => {
    await Promise.all([rig.anthropic, rig.openai].map((cloud) => cloud.setFault({ spec: "status=500" })));
    expect(await route(say("Hi", { routing_strategy: "cloud_first" }))).toMatchObject({ status: 200, target: vllm });
    const before = (await rig.local.generations()).length;
    expect((await route(say("Hi", { routing_strategy: "cloud_only" }))).status).toBe(502);
    expect((await rig.local.generations()).length).toBe(before);
  });
});

test("the list of models has every public name once, and no internal form", async () => {
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string; object: string }[] };
  const ids = data.map((model) => model.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(["auto", "local", "cloud", "claude", "small", "smart", "gpt-3.5-turbo"]));
  expect(ids).toEqual(expect.arrayContaining([localModel, openaiModel, "claude-opus-4-8"]));
  expect(ids).not.toContain(vllm);
  expect(data.every((model) => model.object === "model")).toBe(true);
});
