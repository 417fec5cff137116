import { describe, expect, test } from "bun:test";
import { askOf, type SomeAsk } from "../../test/fixtures/asks.ts";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import { routingFacts, type SomeFacts } from "../../test/fixtures/routing-facts.ts";
import { GatewayError } from "../core/errors.ts";
import type { NamedTarget, ResidencyRule } from "../core/gateway-model.ts";
import { confine, isWithin, unconfined } from "./confinement.ts";

const rule = (name: string, more: Partial<ResidencyRule>): ResidencyRule => ({
  name,
  when: undefined,
  placement: undefined,
  regions: undefined,
  ...more,
});

function confined(rules: readonly ResidencyRule[], ask: SomeAsk = {}, named?: NamedTarget, facts: SomeFacts = {}) {
  return confine(askOf(ask), named, catalogue([], {}, { residency: rules }), routingFacts(facts));
}

const route: NamedTarget = { reason: "alias", targets: [], fallback: undefined, confinedTo: "local", listed: true };

describe("what binds a request", () => {
  test("is nothing unless something says so", () => {
    expect(confined([])).toEqual(unconfined);
    expect(confined([rule("never", { when: () => false, placement: "local" })])).toEqual(unconfined);
  });

  test("is named: the request, its key, its route, the config's rules", () => {
    const rules = [rule("always", { placement: "local" }), rule("europe", { regions: ["eu"] })];
    const all = confined(rules, { wish: { localOnly: true }, keyIsLocalOnly: true }, route);
    expect(all).toEqual({
      placement: "local",
      regions: ["eu"],
      by: ["request", "key", "route", "always", "europe"],
    });
  });

  test("depends on a rule's condition", () => {
    const rules = [rule("clinic", { when: ({ key }) => key.team === "clinic", placement: "local" })];
    expect(confined(rules, {}, undefined, { key: { team: "clinic" } }).by).toEqual(["clinic"]);
    expect(confined(rules, {}, undefined, { key: { team: "shop" } }).by).toEqual([]);
  });

  test("narrows: regions that every rule allows", () => {
    const rules = [rule("a", { regions: ["eu", "us"] }), rule("b", { regions: ["us", "ap"] })];
    expect(confined(rules).regions).toEqual(["us"]);
  });
});

test("rules that leave no place refuse the request, and are named", () => {
  const contradictions = [
    [rule("stay", { placement: "local" }), rule("leave", { placement: "cloud" })],
    [rule("stay", { regions: ["eu"] }), rule("leave", { regions: ["us"] })],
  ];
  for (const rules of contradictions) {
    let thrown: unknown;
    try {
      confined(rules);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GatewayError);
    expect((thrown as GatewayError).code).toBe("policy_forbids");
    expect((thrown as GatewayError).message).toContain("stay, leave");
  }
});

test("a target lies within when placement and region allow it; one without a region is in none", () => {
  const at = (placement: "local" | "cloud", region?: string) =>
    deployment(upstream(`${placement}-${region}`, placement, { region }), "m");
  const home = { placement: "local", regions: undefined, by: ["key"] } as const;
  expect([at("local"), at("cloud")].map((target) => isWithin(target, home))).toEqual([true, false]);
  const europe = { placement: undefined, regions: ["eu"], by: ["europe"] } as const;
  const places = [at("cloud", "eu"), at("cloud", "us"), at("cloud"), at("local")];
  expect(places.map((target) => isWithin(target, europe))).toEqual([true, false, false, false]);
  expect(isWithin(at("cloud", "eu"), { ...europe, placement: "local" })).toBe(false);
  expect(isWithin(at("cloud"), unconfined)).toBe(true);
});
