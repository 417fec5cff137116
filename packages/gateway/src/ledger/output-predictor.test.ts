import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { features } from "../../test/fixtures/features.ts";
import { type ChatRequest, type ChatTool, emptyChat } from "../core/chat.ts";
import type { Features } from "../core/decision.ts";
import type { DeploymentId } from "../core/deployment.ts";
import { OutputPredictor } from "./output-predictor.ts";

const small = "local/small" as DeploymentId;
const large = "cloud/large" as DeploymentId;
const tool: ChatTool = { type: "function", name: "look_up" };

function chat(more: Partial<ChatRequest> = {}): ChatRequest {
  return {
    ...emptyChat,
    model: undefined,
    messages: [],
    ...more,
  };
}

function asked(promptTokens = 100, requestedMaxTokens?: number): Features {
  return features({ promptTokens, windowTokens: promptTokens, requestedMaxTokens });
}

describe("OutputPredictor", () => {
  test("counts what it knows nothing of as 512 tokens, or the client's lower limit", () => {
    const predictor = new OutputPredictor();
    expect(predictor.predict(small, chat(), asked())).toBe(512);
    expect(predictor.predict(small, chat(), asked(100, 4_096))).toBe(512);
    expect(predictor.predict(small, chat(), asked(100, 16))).toBe(16);
  });

  test("learns the length of answers to like requests, per deployment", () => {
    const predictor = new OutputPredictor();
    for (let i = 0; i < 20; i++) {
      predictor.observe(small, chat(), asked(100), 80);
      predictor.observe(small, chat({ tools: [tool] }), asked(100), 30);
      predictor.observe(small, chat(), asked(20_000), 900);
      predictor.observe(large, chat(), asked(100), 2_000);
    }
    const about = (tokens: number) => [tokens, Math.ceil(tokens * 1.05)] as const;
    const within = (value: number, [least, most]: readonly [number, number]) => value >= least && value <= most;
    expect(within(predictor.predict(small, chat(), asked(110)), about(80))).toBe(true);
    expect(within(predictor.predict(small, chat({ tools: [tool] }), asked(100)), about(30))).toBe(true);
    expect(within(predictor.predict(small, chat(), asked(18_000)), about(900))).toBe(true);
    expect(within(predictor.predict(large, chat(), asked(100)), about(2_000))).toBe(true);
    expect(predictor.predict(large, chat(), asked(100, 1_000))).toBe(1_000);
  });

  test("takes the deployment's usual length for a kind of request it has not seen", () => {
    const predictor = new OutputPredictor();
    predictor.observe(small, chat(), asked(100), 100);
    // One answer of 100, and half as much for not knowing better.
    expect(predictor.predict(small, chat({ responseFormat: { type: "json_object" } }), asked(5_000))).toBe(150);
    expect(predictor.predict(large, chat(), asked(100))).toBe(512);
  });

  test("covers most answers where their length varies, and follows when it changes", () => {
    const predictor = new OutputPredictor();
    const lengths = Array.from({ length: 400 }, (_, i) => 200 + ((i * 37) % 201) - 100);
    let covered = 0;
    for (const length of lengths) {
      if (predictor.predict(small, chat(), asked()) >= length) covered++;
      predictor.observe(small, chat(), asked(), length);
    }
    expect(covered / lengths.length).toBeGreaterThan(0.7);
    expect(predictor.predict(small, chat(), asked())).toBeLessThan(300);
    for (let i = 0; i < 200; i++) predictor.observe(small, chat(), asked(), 1_000);
    expect(predictor.predict(small, chat(), asked())).toBeGreaterThan(950);
  });

  test("shares an answer of several choices among them", () => {
    const predictor = new OutputPredictor();
    for (let i = 0; i < 50; i++) predictor.observe(small, chat({ extra: { n: 4 } }), asked(), 400);
    expect(predictor.predict(small, chat({ extra: { n: 4 } }), asked())).toBeLessThanOrEqual(110);
  });

  test("forgets what was not seen for longest, and stays bounded", () => {
    const predictor = new OutputPredictor();
    predictor.observe(small, chat(), asked(), 10);
    for (let i = 0; i < 5_000; i++) predictor.observe(`cloud/${i}` as DeploymentId, chat(), asked(), 7);
    expect(predictor.predict(small, chat(), asked())).toBe(512);
    expect(predictor.predict("cloud/4999" as DeploymentId, chat(), asked())).toBe(11);
  });

  test("never predicts less than one token, more than the client's limit, or part of a token", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(100_000)),
        fc.nat(50_000),
        fc.integer({ min: 1, max: 9_000 }),
        (seen, prompt, max) => {
          const predictor = new OutputPredictor();
          for (const tokens of seen) predictor.observe(small, chat(), asked(prompt), tokens);
          const predicted = predictor.predict(small, chat(), asked(prompt, max));
          return Number.isInteger(predicted) && predicted >= 1 && predicted <= max;
        },
      ),
    );
  });
});
