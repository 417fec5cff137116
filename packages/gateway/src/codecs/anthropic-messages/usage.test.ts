import { expect, test } from "bun:test";
import { decodeUsage, mergeUsage } from "./usage.ts";

test("cached tokens are added to the input, and hour-long writes are a part of the writes", () => {
  const raw = {
    input_tokens: 50,
    cache_read_input_tokens: 1_000,
    cache_creation_input_tokens: 456,
    cache_creation: { ephemeral_5m_input_tokens: 356, ephemeral_1h_input_tokens: 100 },
    output_tokens: 503,
    output_tokens_details: { thinking_tokens: 200 },
  };
  expect(decodeUsage(raw)).toEqual({
    usage: {
      inputTokens: 1_506,
      cachedReadTokens: 1_000,
      cacheWriteTokens: 456,
      longCacheWriteTokens: 100,
      audioInputTokens: 0,
      outputTokens: 503,
      reasoningTokens: 200,
      audioOutputTokens: 0,
    },
    raw,
  });
});

test("writes that are only told by their kind are counted, and none are told twice", () => {
  const kinds = { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 12 };
  expect(decodeUsage({ input_tokens: 1, cache_creation: kinds }).usage).toMatchObject({
    inputTokens: 43,
    cacheWriteTokens: 42,
    longCacheWriteTokens: 12,
  });
  const odd = { cache_creation_input_tokens: 5, cache_creation: { ephemeral_1h_input_tokens: 12 } };
  expect(decodeUsage(odd).usage).toMatchObject({ cacheWriteTokens: 5, longCacheWriteTokens: 5 });
});

test("later counts replace earlier ones, and null keeps them", () => {
  const start = { input_tokens: 9, cache_creation: { ephemeral_1h_input_tokens: 4 }, output_tokens: 1 };
  const merged = mergeUsage(start, { input_tokens: null, output_tokens: 20 });
  expect(merged).toEqual({ ...start, output_tokens: 20 });
  expect(decodeUsage(merged).raw).toBe(merged);
});
