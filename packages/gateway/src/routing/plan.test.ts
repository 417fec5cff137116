import { expect, test } from "bun:test";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import { type ChatRequest, emptyChat } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { extractFeatures } from "./features/extract-features.ts";
import { LiveState } from "./live-state.ts";
import { plan } from "./plan.ts";

const qwen = deployment(upstream("vllm", "local"), "qwen", { contextWindow: 32_768 });
const sonnet = deployment(upstream("cloudy", "cloud"), "sonnet", { contextWindow: 200_000 });
const opus = deployment(upstream("cloudy", "cloud"), "opus", { contextWindow: 200_000 });
const flash = deployment(upstream("flashy", "cloud"), "flash", { contextWindow: 1_000_000 });
const hybrid = catalogue(
  [qwen, sonnet, opus, flash],
  { local: [qwen], cloud: [opus] },
  { autoCloud: [sonnet], longContext: [flash, sonnet], fallback: [flash, sonnet] },
);
const noWish: RoutingWish = { strategy: undefined, localOnly: false };

function request(model: string | undefined, promptCharacters = 20, more: Partial<ChatRequest> = {}): ChatRequest {
  return {
    ...emptyChat,
    model,
    messages: [{ role: "user", content: [{ type: "text", text: "x".repeat(promptCharacters) }] }],
    ...more,
  };
}

const live = (): LiveState =>
  new LiveState({
    failures: 5,
    failureRate: 0.5,
    minTries: 20,
    windowMs: 30_000,
    cooldownMs: 60_000,
    halfOpenTrials: 3,
  });

function decide(asked: ChatRequest, state = live(), wish = noWish, known = hybrid) {
  const ask = {
    model: asked.model,
    features: extractFeatures(asked),
    needs: asked.needs,
    wish,
    key: { id: "", name: "", team: "", user: "", tags: [], region: "" },
    keyIsLocalOnly: false,
    headers: () => ({}),
    stream: false,
    reasoning: "",
  };
  return plan(ask, {
    catalogue: known,
    live: state,
    nowMs: 1_000,
    atMs: 1_000,
    priceOf: () => undefined,
    outputTokens: () => ask.features.maxTokens,
    fraction: () => 0.5,
  });
}

function errorOf(act: () => unknown): GatewayError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
  }
  throw new Error("a GatewayError was expected");
}

test("auto sends a short prompt to the local model and keeps cloud behind it", () => {
  const decision = decide(request("auto"));
  expect(decision.reason).toBe("local_adequate");
  expect(decision.targets).toEqual([qwen, flash, sonnet]);
});

test("a missing model is auto", () => {
  expect(decide(request(undefined)).targets[0]).toBe(qwen);
  expect(decide(request("")).asked).toBe("auto");
});

test("auto compares characters / 4 with the local model's adequacy, at its edge", () => {
  expect(decide(request("auto", 6_000)).reason).toBe("local_adequate");
  const over = decide(request("auto", 6_001));
  expect(over.reason).toBe("prompt_too_long");
  expect(over.targets[0]).toBe(sonnet);
});

test("auto sends a long output to cloud, and counts an absent limit as 512", () => {
  expect(decide(request("auto", 20, { maxTokens: 1_024 })).targets[0]).toBe(qwen);
  const over = decide(request("auto", 20, { maxTokens: 1_025 }));
  expect(over.reason).toBe("output_too_long");
  expect(over.targets[0]).toBe(sonnet);
});

test("auto sends 50,000 tokens and more to a cheap long-window model", () => {
  const decision = decide(request("auto", 240_000));
  expect(decision.reason).toBe("long_context");
  expect(decision.targets[0]).toBe(flash);
});

test("auto sends more than 100,000 tokens to the largest window", () => {
  const known = { ...hybrid, longContext: [sonnet, flash] };
  expect(decide(request("auto", 440_000), live(), noWish, known).targets[0]).toBe(flash);
});

test("an explicit local model ignores the prompt's length as a criterion", () => {
  const decision = decide(request("local", 60_000, { maxTokens: 4_000 }));
  expect(decision.reason).toBe("alias");
  expect(decision.targets[0]).toBe(qwen);
});

test("a prompt larger than the local window goes to cloud with that reason", () => {
  const decision = decide(request("local", 200_000));
  expect(decision.reason).toBe("context_window");
  expect(decision.targets[0]?.upstream.placement).toBe("cloud");
  expect(decision.firstChoice).toBe(qwen);
});

test("a cloud name never falls to local", () => {
  const decision = decide(request("cloud"));
  expect(decision.targets[0]).toBe(opus);
  expect(decision.targets.every((target) => target.upstream.placement === "cloud")).toBe(true);
});

test("a cold local model is replaced by the plain cloud model", () => {
  const state = live();
  state.markCold("vllm", 900);
  const decision = decide(request("local"), state);
  expect(decision.reason).toBe("local_cold");
  expect(decision.targets[0]).toBe(sonnet);
  expect(decision.exclusions).toContainEqual({ target: qwen.id, reason: "local_cold" });
});

test("a local model that served and went away is down, one that never served is cold", () => {
  const state = live();
  state.markUnreachable("vllm");
  expect(decide(request("local"), state).reason).toBe("local_cold");
  state.markReady("vllm", 1);
  state.markUnreachable("vllm");
  expect(decide(request("local"), state).reason).toBe("local_down");
});

test("a drained local model is replaced by cloud, and is not even a last resort", () => {
  const state = live();
  state.setDrained("vllm", true);
  const decision = decide(request("local"), state);
  expect([decision.reason, decision.targets[0]]).toEqual(["local_draining", sonnet]);
  const wish: RoutingWish = { strategy: undefined, localOnly: true };
  const error = errorOf(() => decide(request("local"), state, wish));
  expect([error.code, error.message]).toEqual(["no_target_available", expect.stringContaining("local_draining")]);
});

test("an unknown model is decided by auto, with near names", () => {
  const decision = decide(request("sonet"));
  expect(decision.reason).toBe("unknown_model");
  expect(decision.nearNames[0]).toBe("sonnet");
  expect(decision.targets[0]).toBe(qwen);
});

test("an unknown model is a 404 with near names under unknownModel: reject", () => {
  const error = errorOf(() => decide(request("sonet"), live(), noWish, { ...hybrid, unknownModel: "reject" }));
  expect(error.status).toBe(404);
  expect(error.message).toContain("`sonnet`");
});

test("local-only data never meets a cloud target, not even behind a dead local one", () => {
  const state = live();
  state.markCold("vllm", 1);
  const wish: RoutingWish = { strategy: undefined, localOnly: true };
  const decision = decide(request("auto"), state, wish);
  expect(decision.targets).toEqual([qwen]);
  expect(errorOf(() => decide(request("cloud"), state, wish)).code).toBe("policy_forbids");
});

test("self_hosted_only with a cloud name is a 400", () => {
  const error = errorOf(() => decide(request("opus"), live(), { strategy: "self_hosted_only", localOnly: false }));
  expect(error.status).toBe(400);
});

test("an explicit model beats a strategy", () => {
  expect(decide(request("local"), live(), { strategy: "cloud_only", localOnly: false }).targets[0]).toBe(qwen);
});

test("a capability nobody has is a 400 that names every target", () => {
  const error = errorOf(() => decide(request("auto", 20, { needs: new Set(["audio_in"]) })));
  expect(error.code).toBe("capability_unavailable");
  expect(error.message).toContain("vllm/qwen: capability");
});

test("a prompt too large for every window is a context error on messages", () => {
  const error = errorOf(() => decide(request("auto", 5_000_000)));
  expect(error.code).toBe("context_length_exceeded");
  expect(error.detail.param).toBe("messages");
});

test("an open breaker is passed over, but tried when nothing else is left", () => {
  const state = live();
  for (let i = 0; i < 5; i++) state.deployment(qwen).breaker.begin(1_000)("failure", 1_000);
  expect(decide(request("local"), state).reason).toBe("breaker_open");
  const localOnly: RoutingWish = { strategy: "self_hosted_only", localOnly: false };
  expect(decide(request("auto"), state, localOnly).targets).toEqual([qwen]);
});

test("without any local model auto serves from cloud, and the other way round", () => {
  const cloudOnly = catalogue([sonnet], {}, { autoCloud: [sonnet], fallback: [sonnet] });
  expect(decide(request("auto"), live(), noWish, cloudOnly).reason).toBe("no_local");
  const localOnly = catalogue([qwen], {}, { autoCloud: [], fallback: [], longContext: [] });
  const decision = decide(request("auto", 60_000), live(), noWish, localOnly);
  expect(decision.reason).toBe("no_cloud");
  expect(decision.targets).toEqual([qwen]);
});

test("who allows no fallbacks gets one target: not the plain cloud model in place of a cold local one", () => {
  const state = live();
  state.markCold("vllm", 900);
  const wish: RoutingWish = { localOnly: false, allowFallbacks: false };
  expect(decide(request("local"), state, wish).targets).toEqual([qwen]);
  expect(decide(request("auto"), live(), wish).targets).toEqual([qwen]);
  expect(decide(request("auto", 6_100), live(), wish).targets).toEqual([sonnet]);
});

test("a named model that the client leaves out stays the first choice, with that reason", () => {
  const decision = decide(request("opus"), live(), { localOnly: false, ignore: ["opus"] });
  expect(decision.reason).toBe("client_preference");
  expect(decision.firstChoice).toBe(opus);
  expect(decision.targets).toEqual([flash, sonnet]);
});

test("a placement that the client leaves out is no missing one", () => {
  expect(decide(request("auto"), live(), { localOnly: false, ignore: ["@local"] }).reason).toBe("client_preference");
  expect(decide(request("auto", 6_100), live(), { localOnly: true }).reason).toBe("residency");
});

test("an experiment leaves out who may not go to its arm", () => {
  const arms = [{ name: "a", weight: 1, targets: [opus], strategy: undefined }];
  const experiment = { name: "try", when: undefined, models: [], sticky: "request" as const, arms };
  const known = { ...hybrid, experiments: [experiment] };
  expect(decide(request("auto"), live(), noWish, known).reason).toBe("experiment");
  for (const wish of [{ localOnly: true }, { localOnly: false, strategy: "self_hosted_only" }]) {
    const decision = decide(request("auto"), live(), wish, known);
    expect(decision.targets).toEqual([qwen]);
    expect(decision.experiment).toBeUndefined();
  }
});

test("an experiment's targets fall to no cloud where the usual strategy stays on the premises", () => {
  const other = deployment(upstream("llama", "local"), "llama");
  const arms = [{ name: "a", weight: 1, targets: [other], strategy: undefined }];
  const experiment = { name: "try", when: undefined, models: [], sticky: "request" as const, arms };
  const known = {
    ...catalogue([qwen, other, sonnet], {}, { autoCloud: [sonnet], fallback: [sonnet] }),
    experiments: [experiment],
    defaultStrategy: "self_hosted_only",
  };
  const decision = decide(request("auto"), live(), noWish, known);
  expect(decision.reason).toBe("experiment");
  expect(decision.targets).toEqual([other]);
  expect(decision.confinedTo).toBe("local");
  const cloudArm = { ...experiment, arms: [{ ...arms[0]!, targets: [sonnet] }] };
  expect(decide(request("auto"), live(), noWish, { ...known, experiments: [cloudArm] }).targets[0]).toBe(sonnet);
});

test("a config whose usual strategy never leaves keeps named models too, unless the request names another strategy", () => {
  const home = { ...hybrid, defaultStrategy: "self_hosted_only" };
  expect(decide(request("local"), live(), noWish, home)).toMatchObject({ targets: [qwen], confinedTo: "local" });
  expect(errorOf(() => decide(request("opus"), live(), noWish, home)).message).toContain("forbids cloud");
  const wish: RoutingWish = { strategy: "quality", localOnly: false };
  expect(decide(request("opus"), live(), wish, home).targets[0]).toBe(opus);
});

test("a late local target gives way to another local one without a word, since nothing leaves", () => {
  const slow = deployment(upstream("slow", "local"), "qwen");
  const quick = deployment(upstream("quick", "local"), "qwen");
  const known = catalogue(
    [slow, quick, sonnet],
    { local: [slow, quick] },
    { spill: { maxTtftMs: 1_000, maxUsdPerHour: undefined } },
  );
  const state = live();
  for (const [target, ms] of [
    [slow, 5_000],
    [quick, 50],
  ] as const) {
    for (let i = 0; i < 8; i++) {
      const attempt = state.begin(target, { inputTokens: 10, conversationHash: 0, streams: true }, 0);
      attempt.firstToken(ms);
      attempt.end("success", 20, ms + 100);
    }
  }
  const { targets, reason, exclusions, spillCostUsd } = decide(request("local"), state, noWish, known);
  expect(targets[0]).toBe(quick);
  expect({ reason, exclusions, spillCostUsd }).toEqual({ reason: "alias", exclusions: [], spillCostUsd: undefined });
});
