import { describe, expect, test } from "bun:test";
import { modelProfile } from "./model-profile.ts";

describe("modelProfile", () => {
  const table: readonly (readonly [string, object])[] = [
    ["claude-3-haiku-20240307", { maxOutputTokens: 4096, thinking: "none", sampling: "both" }],
    ["claude-3-5-sonnet-latest", { maxOutputTokens: 8192, thinking: "none" }],
    ["claude-3-7-sonnet-20250219", { thinking: "budget", maxOutputTokens: 64_000 }],
    ["claude-opus-4-20250514", { maxOutputTokens: 32_000, structuredOutput: false }],
    ["claude-opus-4-1-20250805", { maxOutputTokens: 32_000, prefill: true }],
    ["claude-sonnet-4-20250514", { maxOutputTokens: 64_000, structuredOutput: false }],
    ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", { sampling: "one", structuredOutput: true, thinking: "budget" }],
    ["anthropic/claude-haiku-4.5", { sampling: "one", maxOutputTokens: 64_000 }],
    ["claude-sonnet-4-6", { thinking: "adaptive", prefill: false, midSystem: false }],
    ["claude-opus-4-7", { sampling: "none", midSystem: false, forcedTool: "always" }],
    ["claude-opus-4-8", { sampling: "none", midSystem: true }],
    ["claude-sonnet-5", { canDisableThinking: true, forcedTool: "always" }],
    ["claude-opus-5-20260701", { canDisableThinking: true, forcedTool: "always" }],
    ["claude-haiku-5-5", { canDisableThinking: true, forcedTool: "always" }],
    ["claude-opus-5-5", { canDisableThinking: false, forcedTool: "never" }],
    ["claude-sonnet-5.5@20261001", { canDisableThinking: false, forcedTool: "never" }],
    ["claude-fable-5", { canDisableThinking: false, forcedTool: "always" }],
    ["claude-fable-5-1", { canDisableThinking: false, forcedTool: "never" }],
    ["claude-opus-6", { sampling: "none", forcedTool: "never", maxOutputTokens: 128_000 }],
    ["claude-opus-4-9", { sampling: "none", forcedTool: "never" }],
    ["qwen3-32b", { thinking: "none", serverTools: false, sampling: "both" }],
    ["qwen-4-6", { thinking: "none", serverTools: false }],
  ];
  for (const [model, wanted] of table) {
    test(model, () => {
      expect(modelProfile(model)).toMatchObject(wanted);
    });
  }
});
