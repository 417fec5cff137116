import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChatBody, say } from "../setup/clients.ts";
import { codeSnippets } from "../setup/code-snippets.ts";
import {
  type Hybrid,
  type HybridSimulators,
  localOf,
  on,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";

let simulators: HybridSimulators;
let hybrid: Hybrid;

beforeAll(async () => {
  simulators = await startHybridSimulators();
  hybrid = await startHybrid(simulators);
});
beforeEach(() => resetHybrid(simulators));

/** Sends it and tells what one upstream got it. */
async function served(body: ChatBody, by = hybrid): Promise<string> {
  const { status, target, text } = await by.ask(body);
  expect(status, text).toBe(200);
  const hits = await reached(simulators);
  expect(hits).toEqual([target]);
  return hits[0] ?? "";
}

/** Natural words, not one repeated. */
function article(characters: number): string {
  const sentences = [
    "The harbour authority opened the new lock on Tuesday after three years of delays.",
    "Residents on the northern bank say that the noise of the pumps has kept them awake since spring.",
    "According to the mayor, the town received a third of the money it had asked the region for.",
    "Fishermen fear that silt will settle in front of the old quay, where their boats lie in winter.",
    "A report by the university found no change in the salt content of the upper basin.",
    "The company that built the gates went bankrupt shortly before the work was done.",
  ];
  let text = "";
  for (let i = 0; text.length < characters; i++) text += `${sentences[i % sentences.length]} `;
  return text.slice(0, characters);
}

const cloud = /^(anthropic|openai|gemini)\//;
const premium = [on.opus, on.sonnet, on.pro];

describe("with a local 7B, a local code model, cheap and premium cloud", () => {
  test("“Classify the sentiment: Great product!”, 10 out → local", async () => {
    expect(await served(say("Classify the sentiment: Great product!", { max_tokens: 10 }))).toBe(on.small);
  });

  test("“What is Kubernetes?” → local", async () => {
    expect(await served(say("What is Kubernetes?"))).toBe(on.small);
  });

  test("“Write a Python REST API with FastAPI”, 1,000 out → local code model", async () => {
    expect(await served(say("Write a Python REST API with FastAPI", { max_tokens: 1_000 }))).toBe(on.coder);
  });

  test("“Quick summary of this ticket”, `fast`, 100 out → fastest local", async () => {
    const own = await startHybrid(simulators);
    await simulators.vllm.setState({ firstTokenMs: 300 });
    await simulators.coder.setState({ firstTokenMs: 20 });
    for (const target of [on.small, on.coder, on.small, on.coder]) {
      await own.ask(say("Hi", { model: target, stream: true }));
    }
    for (const simulator of Object.values(simulators)) await simulator.clearHits();
    const body = say("Quick summary of this ticket", { routing_strategy: "fast", max_tokens: 100 });
    expect(await served(body, own)).toBe(on.coder);
  });

  test("“Translate this text to Spanish”, `cost` → cheapest", async () => {
    // The machines' hours are priced, the second one's at a hundredth: it is cheaper than any cloud model.
    const cost = (perHour: number) => ({ cost: { perHour, tokensPerHour: 1_000_000 } });
    const own = await startHybrid(simulators, { upstreams: { vllm: cost(100), coder: cost(0.01) } });
    const body = say("Translate this text to Spanish", { routing: { strategy: "cost" } });
    expect(await served(body, own)).toBe(on.coder);
    const dear = await startHybrid(simulators, { upstreams: { vllm: cost(500), coder: cost(500) } });
    for (const simulator of Object.values(simulators)) await simulator.clearHits();
    // What the price book says of the cloud models here.
    expect(await served(body, dear)).toBe(on.mini);
  });

  test("over 100K tokens + “Summarize the key points”, 2,000 out → 1M window", async () => {
    const text = `${article(404_000)}\n\nSummarize the key points.`;
    const target = await served(say(text, { max_tokens: 2_000 }));
    expect([on.flash, on.pro, on.opus, on.sonnet]).toContain(target);
  });

  describe("“Analyze the following code for security vulnerabilities, …” + a large snippet → premium cloud", () => {
    test.each(Object.entries(codeSnippets))("%s", async (_, code) => {
      const ask =
        "Analyze the following code for security vulnerabilities, suggest fixes, and explain the impact of each in detail";
      const text = `${ask}:\n\n${code}`;
      const response = await fetch(`${hybrid.url}/v1/route`, { method: "POST", body: JSON.stringify(say(text)) });
      const decision = (await response.json()) as { features: { complexity: number; signals: unknown } };
      const why = `${code.length} characters: complexity ${decision.features.complexity} ${JSON.stringify(decision.features.signals)}`;
      expect(premium, why).toContain(await served(say(text)));
      expect(decision.features.complexity, why).toBeGreaterThanOrEqual(0.7);
    });
  });

  test("model `gemini-1.5-pro` → that model", async () => {
    expect(await served(say("What is Kubernetes?", { model: "gemini-1.5-pro" }))).toBe(on.pro);
  });

  test("about 4,400 characters of repeated text with 2,000 out → cloud", async () => {
    const text = "All work and no play makes Jack a dull boy. ".repeat(100);
    expect(text.length).toBe(4_400);
    expect(await served(say(text, { max_tokens: 2_000 }))).toMatch(cloud);
  });

  test("an article of about 6,100 characters, 150 out → cloud; one of 110 characters → local", async () => {
    const ask = "Summarize this article:\n\n";
    expect(await served(say(ask + article(6_100 - ask.length), { max_tokens: 150 }))).toMatch(cloud);
    for (const simulator of Object.values(simulators)) await simulator.clearHits();
    expect(await served(say(ask + article(110 - ask.length), { max_tokens: 150 }))).toBe(on.small);
  });
});

describe("`local` while its replicas are 0 → cloud, never a 503", () => {
  test("before the first probe and after it, streamed and not", async () => {
    await Promise.all(Object.values(localOf(simulators)).map((simulator) => simulator.stop()));
    const clouds = { anthropic: simulators.anthropic, openai: simulators.openai, gemini: simulators.gemini };
    const slow = { health: { intervalMs: 3_600_000 } };
    const own = await startHybrid(simulators, { upstreams: { vllm: slow, coder: slow } });
    for (const model of ["local", "qwen2.5-7b", "auto"]) {
      for (const stream of [false, true]) {
        const { status, backend, target, text, fallback } = await own.ask(say("Hi", { model, stream }));
        expect({ status, backend }, text).toEqual({ status: 200, backend: "cloud" });
        expect(target).toBe(on.sonnet);
        expect(fallback).toMatch(/^(vllm|coder)\/.+;(local_cold|local_down|unreachable|upstream_unreachable|connect)/);
      }
    }
    expect(await reached(clouds)).toEqual(Array(6).fill(on.sonnet));
    // The one that saw them alive before calls them down.
    const again = await hybrid.ask(say("Hi", { model: "local" }));
    expect({ status: again.status, backend: again.backend }, again.text).toEqual({ status: 200, backend: "cloud" });
  });
});
