import { describe, expect, test } from "bun:test";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import { GatewayError } from "../core/errors.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { checkWish } from "./check-wish.ts";

const qwen = deployment(upstream("vllm", "local"), "qwen");
const opus = deployment(upstream("cloudy", "cloud", { provider: "acme" }), "opus");
const flash = deployment(upstream("flashy", "cloud"), "flash");
const known = catalogue([qwen, opus, flash], { cloud: [opus] });

function fault(wish: Partial<RoutingWish>): GatewayError | undefined {
  try {
    checkWish({ localOnly: false, ...wish }, known);
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
    throw thrown;
  }
  return undefined;
}

test.each<[string, Partial<RoutingWish>]>([
  ["none at all", {}],
  [
    "references by id, upstream, provider, model, name and placement",
    {
      order: ["vllm/qwen", "vllm", "acme", "flash", "cloud", "@local"],
    },
  ],
  ["an alias of a strategy", { strategy: "latency" }],
  ["data that stays under a strategy that may stay", { localOnly: true, strategy: "cloud_first" }],
  ["`only` and `ignore` that leave something", { only: ["@cloud"], ignore: ["acme"] }],
  ["`order` that `only` leaves in part", { only: ["flash"], order: ["acme", "flash"] }],
  ["`order` that `ignore` leaves in part", { ignore: ["flash"], order: ["flash", "acme"] }],
  ["one model and no fallback", { models: ["opus"], allowFallbacks: false }],
])("a wish of %s is fine", (_, wish) => {
  expect(fault(wish)).toBeUndefined();
});

describe("references to nothing name the field, what is expected and a near name", () => {
  test.each(["order", "only", "ignore"] as const)("%s", (field) => {
    const error = fault({ [field]: ["vllm", "flashi"] });
    expect(error?.status).toBe(400);
    expect(error?.detail.param).toBe(`routing.${field}`);
    expect(error?.message).toContain("`flashi`");
    expect(error?.message).toContain("`flash");
  });

  test("models are a 404", () => {
    const error = fault({ models: ["opus", "opsu"] });
    expect(error?.code).toBe("unknown_model");
    expect(error?.detail.param).toBe("routing.models");
  });

  test("strategies list what there is", () => {
    expect(fault({ strategy: "local_furst" })?.message).toContain("`local_first`");
  });
});

test("a contradiction says which preferences and what they do to each other", () => {
  expect(fault({ only: ["acme"], ignore: ["@cloud"] })?.message).toBe(
    "Contradictory preferences: `routing.only` names targets, and `routing.ignore` leaves out every one of them.",
  );
  expect(fault({ only: ["vllm"], order: ["acme"] })?.message).toBe(
    "Contradictory preferences: `routing.order` names targets, and `routing.only` allows none of them.",
  );
});

test.each<[string, Partial<RoutingWish>]>([
  ["local data under a strategy for cloud only", { localOnly: true, strategy: "cloud_only" }],
  ["`ignore` of all that `only` names", { only: ["acme"], ignore: ["@cloud"] }],
  ["`order` of nothing in `only`", { only: ["vllm"], order: ["acme", "flash"] }],
  ["`order` of nothing that `ignore` leaves", { ignore: ["@cloud"], order: ["acme", "flash"] }],
  ["models to fall back to, and no fallback", { models: ["opus", "flash"], allowFallbacks: false }],
])("%s is a contradiction", (_, wish) => {
  const error = fault(wish);
  expect(error?.code).toBe("invalid_request");
  expect(error?.detail.param).toBe("routing");
  expect(error?.message).toContain("Contradictory");
});
