import { describe, expect, test } from "bun:test";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Catalogue, NamedTarget } from "../core/gateway-model.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { listed, type Preference } from "./preference.ts";
import { withWishes } from "./with-wishes.ts";

const qwen = deployment(upstream("vllm", "local"), "qwen");
const sonnet = deployment(upstream("cloudy", "cloud"), "sonnet");
const opus = deployment(sonnet.upstream, "opus");
const flash = deployment(upstream("flashy", "cloud"), "flash");
const all = [qwen, sonnet, opus, flash];
const known = catalogue(all);

const preference: Preference = {
  reason: "local_adequate",
  prefer: [listed([qwen], "priority")],
  fallback: [listed([flash], "priority")],
  standIn: [sonnet],
  confinedTo: undefined,
};

interface Given {
  readonly named?: NamedTarget;
  readonly over?: Partial<Preference>;
  readonly universe?: readonly Deployment[];
  readonly catalogue?: Catalogue;
}

function wished(wish: Partial<RoutingWish>, given: Given = {}): Preference {
  const { named, over, universe = all, catalogue: config = known } = given;
  const asked = { name: named === undefined ? "auto" : "small", named, unknown: false };
  return withWishes({ ...preference, ...over }, { localOnly: false, ...wish }, asked, config, new Set(universe));
}

const targets = (stages: Preference["prefer"]) => stages.map((stage) => stage.targets.map(({ model }) => model));

test("who wishes nothing gets the very same preference", () => {
  const asked = { name: "auto", named: undefined, unknown: false };
  expect(withWishes(preference, { localOnly: false, region: "eu" }, asked, known, new Set(all))).toBe(preference);
});

describe("`order`", () => {
  test("goes first, each reference a stage, and is the reason where it changes the first choice", () => {
    const { prefer, fallback, reason } = wished({ order: ["flashy", "cloudy"] });
    expect(targets(prefer)).toEqual([["flash"], ["sonnet", "opus"], ["qwen"]]);
    expect(targets(fallback)).toEqual([["flash"]]);
    expect(reason).toBe("client_preference");
  });

  test("is no reason where that was the first choice anyway", () => {
    expect(wished({ order: ["vllm", "flashy"] }).reason).toBe("local_adequate");
  });

  test("leaves out references to what the request may not go to", () => {
    const kept = wished({ order: ["flashy", "vllm"] }, { universe: [qwen] });
    expect(targets(kept.prefer)).toEqual([["qwen"], ["qwen"]]);
    expect(kept.reason).toBe("local_adequate");
    const cloudOnly = wished(
      { order: ["vllm"] },
      { over: { confinedTo: "cloud", prefer: [listed([opus], "priority")] } },
    );
    expect(targets(cloudOnly.prefer)).toEqual([["opus"]]);
    expect(cloudOnly.reason).toBe("local_adequate");
  });

  test("only arranges what a named model has anyway", () => {
    const named: NamedTarget = { reason: "alias", targets: [qwen], fallback: undefined, listed: true };
    expect(targets(wished({ order: ["flashy", "cloudy"] }, { named }).prefer)).toEqual([["flash"], ["qwen"]]);
  });
});

test("`sort` orders all that is preferred as one", () => {
  const over = { prefer: [listed([qwen], "priority"), listed([opus, qwen], "priority")] };
  const { prefer, reason } = wished({ sort: "cheapest" }, { over });
  expect(prefer).toEqual([{ targets: [qwen, opus], order: ["cheapest"], balance: "priority" }]);
  expect(reason).toBe("local_adequate");
});

describe("`models`", () => {
  test("stand behind what is preferred and before the usual chain", () => {
    const { prefer, fallback } = wished({ models: ["opus", "sonnet"] });
    expect(targets(prefer)).toEqual([["qwen"]]);
    expect(targets(fallback)).toEqual([["opus"], ["sonnet"], ["flash"]]);
  });

  test("keep the promise of a route that stays", () => {
    const names = new Map(known.names);
    const route: NamedTarget = { reason: "alias", targets: [opus, qwen], fallback: undefined, listed: true };
    names.set("private", { ...route, confinedTo: "local" });
    names.set("open", route);
    const { fallback } = wished({ models: ["private", "open"] }, { catalogue: { ...known, names } });
    expect(targets(fallback)).toEqual([["qwen"], ["opus", "qwen"], ["flash"]]);
  });
});
