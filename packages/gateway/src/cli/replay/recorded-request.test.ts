import { expect, test } from "bun:test";
import { readRecordedRequest } from "./recorded-request.ts";

const features = {
  prompt_tokens: 10,
  window_tokens: 10,
  input_tokens: 12,
  max_tokens: 20,
  requested_max_tokens: 20,
  task: "chat",
  language: "en",
  modalities: ["text"],
  turns: 1,
  has_tools: false,
  wants_json: false,
  complexity: 0.1,
  complexity_rules: 0,
  signals: [],
  prefix_hash: 1,
  conversation_hash: 2,
};
const told = {
  id: "a",
  at: "2026-11-20T10:00:00.000Z",
  dialect: "openai-chat",
  asked: "auto",
  reason: "local_adequate",
  stream: false,
  outcome: "ok",
  status: 200,
  duration_ms: 5,
  features,
};

test("a client's request is read", () => {
  expect(readRecordedRequest(JSON.stringify(told))).toMatchObject({ id: "a", asked: "auto" });
});

test("a shadow's copy is no client's request, so it counts in no share", () => {
  const copy = { ...told, asked: "vllm/qwen", reason: "shadow", tags: ["shadow:trial"] };
  expect(readRecordedRequest(JSON.stringify(copy))).toBe("copied to a shadow");
});
