import { Seeded } from "./seeded.ts";

/** One turn of a conversation as a client sends it. */
export interface SimulatedRequest {
  readonly id: number;
  readonly atMs: number;
  readonly conversation: number;
  /** Which shared system prompt it begins with. */
  readonly system: number;
  readonly systemTokens: number;
  readonly promptTokens: number;
  /** What the model will answer; no router knows it before. */
  readonly outputTokens: number;
  /** What a gateway takes the prompt for: it counts characters, not tokens. */
  readonly estimatedTokens: number;
}

/** Shared system prompts: their tokens. */
const systemPrompts = [120, 300, 600, 900, 1_500];
const meanTurns = 4;
const meanGapMs = 25_000;
const longestPrompt = 12_000;

/**
 * Conversations that begin at random (Poisson), with several turns, shared system prompts and mixed lengths. Turns come at fixed
 * times whatever was answered, so that every contestant gets the very same requests.
 */
export function makeWorkload(seed: number, requestsPerSecond: number, seconds: number): readonly SimulatedRequest[] {
  const random = new Seeded(seed);
  const requests: Omit<SimulatedRequest, "id">[] = [];
  const endMs = seconds * 1_000;
  // Conversations that began before the run are in their middle when it begins, so the rate is even from the start.
  let atMs = -10 * meanGapMs;
  let conversation = 0;
  for (;;) {
    atMs += random.exponential((1_000 * meanTurns) / requestsPerSecond);
    if (atMs >= endMs) break;
    conversation++;
    addTurns(requests, random, conversation, atMs, endMs);
  }
  requests.sort((a, b) => a.atMs - b.atMs);
  return requests.map((request, id) => ({ ...request, id }));
}

function addTurns(
  requests: Omit<SimulatedRequest, "id">[],
  random: Seeded,
  conversation: number,
  firstMs: number,
  endMs: number,
): void {
  const system = random.whole(systemPrompts.length);
  const systemTokens = systemPrompts[system] ?? 0;
  let promptTokens = systemTokens;
  let atMs = firstMs;
  do {
    const isPasted = random.fraction() < 0.08;
    promptTokens += Math.ceil(isPasted ? random.logNormal(1_500, 0.5) : random.logNormal(60, 0.8));
    const outputTokens = Math.min(1_500, Math.max(4, Math.round(random.logNormal(150, 0.8))));
    const estimatedTokens = Math.round(promptTokens * (0.85 + 0.3 * random.fraction()));
    if (promptTokens > longestPrompt) return;
    if (atMs >= 0 && atMs < endMs) {
      requests.push({ atMs, conversation, system, systemTokens, promptTokens, outputTokens, estimatedTokens });
    }
    promptTokens += outputTokens;
    atMs += random.exponential(meanGapMs) + 2_000;
  } while (random.fraction() > 1 / meanTurns);
}
