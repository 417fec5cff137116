import { expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { ConversationMemory } from "./conversation-memory.ts";

const minute = 60_000;
const local = deployment(upstream("gpu", "local"), "m");
const other = deployment(upstream("gpu2", "local"), "m");
const cloud = deployment(upstream("cloud", "cloud"), "m");

test("the last turn's target has its prompt, for 30 minutes at home and five in the cloud", () => {
  const memory = new ConversationMemory();
  memory.note(7, local.id, 900, 0);
  memory.note(8, cloud.id, 500, 0);
  expect(memory.warmTokens(7, local, 30 * minute)).toBe(900);
  expect(memory.warmTokens(7, local, 30 * minute + 1)).toBe(0);
  expect(memory.warmTokens(8, cloud, 5 * minute)).toBe(500);
  expect(memory.warmTokens(8, cloud, 5 * minute + 1)).toBe(0);
  expect(memory.warmTokens(7, other, 1)).toBe(0);
  expect(memory.warmTokens(9, local, 1)).toBe(0);
});

test("a conversation that moved is warm where it went", () => {
  const memory = new ConversationMemory();
  memory.note(7, local.id, 900, 0);
  memory.note(7, other.id, 1_200, 1);
  expect([memory.warmTokens(7, local, 2), memory.warmTokens(7, other, 2)]).toEqual([0, 1_200]);
});

test("it keeps 10,000 conversations, and those used least recently leave", () => {
  const memory = new ConversationMemory();
  memory.note(1, local.id, 10, 0);
  memory.note(2, local.id, 20, 0);
  for (let i = 3; i <= 10_000; i++) memory.note(i, local.id, 1, 0);
  memory.note(1, local.id, 11, 1);
  memory.note(10_001, local.id, 1, 1);
  expect(memory.size).toBe(10_000);
  expect([memory.warmTokens(1, local, 1), memory.warmTokens(2, local, 1)]).toEqual([11, 0]);
});

test("requests without a conversation are no conversation", () => {
  const memory = new ConversationMemory();
  memory.note(0, local.id, 900, 0);
  expect(memory.warmTokens(0, local, 0)).toBe(0);
});
