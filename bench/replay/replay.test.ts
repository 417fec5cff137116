import { expect, test } from "bun:test";
import { kinds, MixedRequests, type RequestKind } from "./mixed-requests.ts";
import { ShareTally } from "./share-tally.ts";

const some = (seed: number, count: number) => {
  const requests = new MixedRequests(seed);
  return Array.from({ length: count }, () => requests.next());
};

test("equal seeds give equal requests, others do not", () => {
  expect(some(7, 50)).toEqual(some(7, 50));
  expect(some(7, 50)).not.toEqual(some(8, 50));
});

test("kinds have their shares, which make a whole", () => {
  expect(Object.values(kinds).reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  const count = 20_000;
  const requests = new MixedRequests(1);
  const seen = new Map<RequestKind, number>();
  for (let i = 0; i < count; i++) {
    const { kind } = requests.next();
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
  for (const [name, { share }] of Object.entries(kinds)) {
    // Four standard deviations.
    const room = 4 * Math.sqrt((share * (1 - share)) / count);
    expect(Math.abs((seen.get(name as RequestKind) ?? 0) / count - share)).toBeLessThan(room);
  }
});

test("lengths are spread, and no document is longer than 200,000 tokens", () => {
  const requests = some(3, 20_000);
  const characters = requests.map(({ body }) => JSON.stringify(body["messages"]).length).sort((a, b) => a - b);
  expect(characters.at(-1)).toBeLessThan(900_000);
  expect(characters.at(-1)).toBeGreaterThan(300_000);
  expect(characters[10_000]).toBeLessThan(3_000);
  const turns = requests.map(({ body }) => (body["messages"] as unknown[]).length);
  expect(Math.max(...turns)).toBeGreaterThan(8);
  expect(requests.some(({ body }) => body["tools"] !== undefined)).toBe(true);
});

test("shares and savings are of what was added", () => {
  const tally = new ShareTally();
  tally.add("self-hosted", "local_adequate", 1, 10);
  tally.add("self-hosted", "local_adequate", undefined, 10);
  tally.add("cheap cloud", "prompt_too_long", 2, 10);
  tally.add("refused", "context_length_exceeded", undefined, undefined);
  expect(tally.shares).toEqual({
    requests: 4,
    tiers: { "self-hosted": 0.5, "cheap cloud": 0.25, "premium cloud": 0, refused: 0.25 },
    costUsd: 3,
    referenceUsd: 20,
    saving: 0.85,
    unpriced: 1,
    reasons: { local_adequate: 2, prompt_too_long: 1, context_length_exceeded: 1 },
  });
});
