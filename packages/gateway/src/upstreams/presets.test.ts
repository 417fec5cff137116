import { describe, expect, test } from "bun:test";
import { capabilities } from "@fairlead/contract/names";
import { findPreset, presets } from "./presets.ts";

describe("presets", () => {
  for (const [name, preset] of Object.entries(presets)) {
    test(`${name} is sound`, () => {
      const url = new URL(preset.baseUrl);
      expect(preset.baseUrl.endsWith("/")).toBe(false);
      expect(url.protocol).toBe(preset.placement === "cloud" ? "https:" : "http:");
      expect(preset.auth.type === "none").toBe(preset.placement === "local");
      const ids = preset.models.map((model) => model.id);
      expect(new Set(ids).size).toBe(ids.length);
      if (ids.length > 0) expect(ids).toContain(preset.flagship ?? "");
      for (const model of preset.models) {
        expect(model.maxOutputTokens ?? 1).toBeLessThanOrEqual(model.contextWindow);
        for (const capability of model.capabilities) expect(capabilities).toContain(capability);
      }
    });
  }

  test("names that objects inherit are no presets", () => {
    expect(findPreset("constructor")).toBeUndefined();
    expect(findPreset("__proto__")).toBeUndefined();
    expect(findPreset("anthropic")?.flagship).toBe("claude-opus-4-8");
  });
});
