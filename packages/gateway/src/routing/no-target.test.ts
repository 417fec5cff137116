import { expect, test } from "bun:test";
import type { Features } from "../core/decision.ts";
import type { DeploymentId } from "../core/deployment.ts";
import { noTarget } from "./no-target.ts";

const qwen = "vllm/qwen" as DeploymentId;
const opus = "cloudy/opus" as DeploymentId;
const leftover = {
  asked: "auto",
  needs: new Set<never>(),
  features: {} as Features,
  confinedTo: "local" as const,
  boundBy: ["request"],
};

test("a key that may use nothing of what was asked for is told so", () => {
  const exclusions = [{ target: qwen, reason: "key_not_allowed" as const }];
  const error = noTarget({ ...leftover, exclusions, confinedTo: undefined, boundBy: [] });
  expect(error.code).toBe("key_not_allowed");
  expect(error.message).toBe("This key may not use `auto`.");
});

test("where its data must stay as well, the answer names both, for the key may use the name elsewhere", () => {
  const error = noTarget({
    ...leftover,
    exclusions: [
      { target: qwen, reason: "key_not_allowed" },
      { target: opus, reason: "residency" },
    ],
  });
  expect(error.code).toBe("key_not_allowed");
  expect(error.message).toContain("on local upstreams, where it must stay (request)");
  expect(error.message).toContain("vllm/qwen: key_not_allowed; cloudy/opus: residency");
});
