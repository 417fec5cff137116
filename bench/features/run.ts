/** Times the features of a request by its size, and compares token estimators with a real tokenizer: `npm run bench:features`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { estimateTokenCount } from "tokenx";
import type { ChatMessage, ChatRequest } from "../../packages/gateway/src/core/chat.ts";
import { estimateTokens } from "../../packages/gateway/src/routing/features/estimate-tokens.ts";
import { extractFeatures } from "../../packages/gateway/src/routing/features/extract-features.ts";
import { requestOf } from "../quality/score-prompts.ts";
import { sampleTexts } from "./sample-texts.ts";

const root = join(import.meta.dir, "../..");
const sizes = [200, 1_000, 4_000, 64_000, 1_000_000];
const rounds = 7;
const roundMs = 60;

/** Prose, tables and commands; parsed from JSON, as request bodies are. */
function textOf(size: number): string {
  const source = ["README.md", "docs/architecture.md"].map((path) => readFileSync(join(root, path), "utf8")).join("\n");
  // Texts within Latin-1 are stored in one byte a character, as most prompts are.
  const latin = source.replaceAll(/[\u0100-\uffff]/g, "-");
  return JSON.parse(JSON.stringify(latin.repeat(Math.ceil(size / latin.length)).slice(0, size))) as string;
}

/** Microseconds of one call: the median of several rounds, after as long a time to warm up. */
function timeOf(work: () => unknown): number {
  let calls = 0;
  const warmUntil = performance.now() + rounds * roundMs;
  while (performance.now() < warmUntil) {
    work();
    calls++;
  }
  const perRound = Math.max(1, Math.floor(calls / rounds));
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    for (let call = 0; call < perRound; call++) work();
    return ((performance.now() - start) / perRound) * 1_000;
  }).sort((a, b) => a - b);
  return times[rounds >> 1] ?? Number.NaN;
}

console.log("characters   µs per request");
const times = sizes.map((size) => {
  const request = requestOf(textOf(size));
  const micros = timeOf(() => extractFeatures(request));
  console.log(`${String(size).padStart(10)}   ${micros.toFixed(1).padStart(8)}`);
  return { size, micros };
});

/** An agent in the middle of its work: 200 messages of 800 characters and 20 tools. */
function agentRequest(): ChatRequest {
  const text = textOf(40_000);
  const messages = Array.from({ length: 200 }, (_, index): ChatMessage => {
    const content = [{ type: "text" as const, text: text.slice(index * 150, index * 150 + 800) }];
    return index % 2 === 0 ? { role: "user", content } : { role: "assistant", content, toolCalls: [] };
  });
  const tools = Array.from({ length: 20 }, (_, index) => ({
    type: "function" as const,
    name: `tool_${index}`,
    description: text.slice(0, 600),
    parameters: { type: "object", properties: { path: { type: "string" }, limit: { type: "number" } } },
  }));
  return { ...requestOf(""), messages, tools };
}
const agent = agentRequest();
const agentMicros = timeOf(() => extractFeatures(agent));
console.log(`200 messages and 20 tools: ${agentMicros.toFixed(1)} µs`);

const estimators: Readonly<Record<string, (text: string) => number>> = {
  "characters / 4": (text) => text.length / 4,
  tokenx: estimateTokenCount,
  ours: (text) => estimateTokens(text),
};

console.log("\nmean error against o200k_base, percent of the true count");
console.log(
  `${"class".padEnd(28)}${Object.keys(estimators)
    .map((name) => name.padStart(16))
    .join("")}`,
);
const errors = sampleTexts().map(({ name, samples }) => {
  const truth = samples.map((text) => encode(text).length);
  const byEstimator = Object.fromEntries(
    Object.entries(estimators).map(([estimator, estimate]) => {
      const parts = samples.map((text, index) => Math.abs(estimate(text) / (truth[index] ?? 1) - 1));
      return [estimator, parts.reduce((sum, part) => sum + part, 0) / parts.length];
    }),
  );
  const cells = Object.values(byEstimator).map((error) => (error * 100).toFixed(1).padStart(16));
  console.log(`${name.padEnd(28)}${cells.join("")}`);
  return { name, ...byEstimator };
});
console.log(JSON.stringify({ bench: "features", times, agentMicros, errors }));
