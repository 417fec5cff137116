import { describe, expect, test } from "bun:test";
import { GatewayError } from "../core/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { readRoutingWish } from "./routing-wish.ts";

const read = (body: JsonObject, headers: Record<string, string> = {}, takesForeign = true) =>
  readRoutingWish(new Headers(headers), body, takesForeign);

const wishOf = (body: JsonObject, headers: Record<string, string> = {}) => read(body, headers).wish;

function paramOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === "invalid_request") return thrown.detail.param;
  }
  throw new Error("an invalid_request was expected");
}

test("who says nothing wishes nothing", () => {
  expect(read({ model: "auto" })).toEqual({ wish: { localOnly: false }, taken: ["routing", "routing_strategy"] });
});

test("every field of `routing` is read", () => {
  const routing = {
    strategy: "cost",
    max_latency_ms: 200,
    max_cost_usd: 0,
    region: "eu",
    session: "s1",
    order: ["a"],
    only: ["a", "b"],
    ignore: ["c"],
    allow_fallbacks: false,
    require_parameters: true,
    max_price: { prompt: 1, completion: 2, request: 3 },
    sort: "price",
    models: ["m"],
    data: "local-only",
  };
  expect(wishOf({ routing })).toEqual({
    strategy: "cost",
    maxLatencyMs: 200,
    maxCostUsd: 0,
    region: "eu",
    session: "s1",
    order: ["a"],
    only: ["a", "b"],
    ignore: ["c"],
    allowFallbacks: false,
    requireParameters: true,
    maxPrice: { prompt: 1, completion: 2, request: 3 },
    sort: "cheapest",
    models: ["m"],
    localOnly: true,
  });
});

test("the header beats `routing`, and `routing` beats `routing_strategy`", () => {
  const body = { routing: { strategy: "two" }, routing_strategy: "three" };
  expect(wishOf(body, { "x-router-strategy": "One" }).strategy).toBe("one");
  expect(wishOf(body).strategy).toBe("two");
  expect(wishOf({ routing_strategy: "three" }).strategy).toBe("three");
  const both = wishOf({ routing: { region: "eu", max_latency_ms: 5 } }, { "x-router-region": "us" });
  expect(both).toMatchObject({ region: "us", maxLatencyMs: 5 });
});

describe("data that stays", () => {
  test("is bound by header, body or `data_collection: deny`, and nothing sets it free again", () => {
    expect(wishOf({}, { "x-router-data": " Local-Only " }).localOnly).toBe(true);
    expect(wishOf({ routing: { data: "local-only" } }, { "x-router-region": "eu" }).localOnly).toBe(true);
    expect(wishOf({ provider: { data_collection: "deny" }, routing: {} }).localOnly).toBe(true);
    expect(wishOf({ provider: { data_collection: "allow" } }).localOnly).toBe(false);
  });

  test("a value that is none is refused rather than ignored", () => {
    for (const value of ["", "localonly", "local-only, local-only", "cloud"]) {
      expect(paramOf(() => read({}, { "x-router-data": value }))).toBe("X-Router-Data");
    }
  });
});

describe("numbers in headers", () => {
  test("are read", () => {
    const wish = wishOf({}, { "x-router-max-latency-ms": " 250 ", "x-router-max-cost-usd": "0.01" });
    expect(wish).toMatchObject({ maxLatencyMs: 250, maxCostUsd: 0.01 });
  });

  test("what was sent instead of a number is shown as it came", () => {
    expect(() => read({}, { "x-router-max-latency-ms": "soon" })).toThrow('is "soon". Expected a number above 0.');
  });

  test.each(["", "soon", "-1", "0", "Infinity"])("%j is refused as a latency", (value) => {
    expect(paramOf(() => read({}, { "x-router-max-latency-ms": value }))).toBe("X-Router-Max-Latency-Ms");
  });
});

describe("`provider`, `models` and `route` at the top level", () => {
  const foreign = { provider: { order: ["a"], sort: "throughput" }, models: ["m"], route: "fallback" };

  test("are taken where no upstream knows them", () => {
    const { wish, taken } = read(foreign);
    expect(wish).toEqual({ order: ["a"], sort: "throughput", models: ["m"], localOnly: false });
    expect(taken).toEqual(["routing", "routing_strategy", "provider", "models", "route"]);
  });

  test("are weaker than `routing`", () => {
    expect(wishOf({ ...foreign, routing: { order: ["b"] } })).toMatchObject({ order: ["b"], models: ["m"] });
  });

  test("are left alone, right or wrong, where an upstream knows them itself", () => {
    const { wish, taken } = read({ ...foreign, provider: { whatever: 1 } }, {}, false);
    expect(wish).toEqual({ localOnly: false });
    expect(taken).toEqual(["routing", "routing_strategy"]);
  });

  test("are refused where they are wrong", () => {
    expect(paramOf(() => read({ provider: { ordr: ["a"] } }))).toBe("provider.ordr");
    expect(paramOf(() => read({ route: "random" }))).toBe("route");
    expect(paramOf(() => read({ models: "m" }))).toBe("models");
  });
});

test("lists and names are bounded", () => {
  const many = Array.from({ length: 65 }, (_, i) => `m${i}`);
  expect(paramOf(() => read({ routing: { models: many } }))).toBe("routing.models");
  expect(paramOf(() => read({ routing: { strategy: "s".repeat(257) } }))).toBe("routing.strategy");
  expect(paramOf(() => read({ routing_strategy: 7 }))).toBe("routing_strategy");
});
