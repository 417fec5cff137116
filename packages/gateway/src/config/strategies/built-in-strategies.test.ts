import { describe, expect, test } from "bun:test";
import { type BuiltInStrategy, builtInStrategies as builtInNames } from "@fairlead/contract/routing-names";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { routingFacts, type SomeFacts, targetFacts } from "../../../test/fixtures/routing-facts.ts";
import type { Deployment } from "../../core/deployment.ts";
import type { TargetFacts } from "../../core/routing-facts.ts";
import type { Selection, StrategyRule } from "../../core/strategy.ts";
import { builtInStrategies } from "./built-in-strategies.ts";
import type { TargetLists } from "./target-lists.ts";

const qwen = deployment(upstream("vllm", "local"), "qwen2.5-7b", { contextWindow: 32_768 });
const coder = deployment(upstream("gpu", "local"), "qwen2.5-coder-7b", { contextWindow: 32_768 });
const sonnet = deployment(upstream("cloudy", "cloud"), "sonnet", { contextWindow: 200_000 });
const opus = deployment(upstream("cloudy", "cloud"), "opus", { contextWindow: 200_000 });
const flash = deployment(upstream("flashy", "cloud"), "flash", { contextWindow: 1_048_576 });

const all: TargetLists = {
  deployments: [qwen, coder, sonnet, opus, flash],
  autoCloud: [sonnet, opus, flash],
  longContext: [flash, sonnet],
  fallback: [flash, sonnet],
};

/** The same with some deployments only. */
function only(...kept: Deployment[]): TargetLists {
  const keep = (list: readonly Deployment[]): Deployment[] => list.filter((entry) => kept.includes(entry));
  return {
    deployments: kept,
    autoCloud: keep(all.autoCloud),
    longContext: keep(all.longContext),
    fallback: keep(all.fallback),
  };
}

interface Situation extends SomeFacts {
  readonly lists?: TargetLists;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** What is known of a target beside its config, by model. */
  readonly targets?: Readonly<Record<string, Partial<TargetFacts>>>;
}

interface Outcome {
  readonly rule: string;
  readonly reason: string;
  /** Models, `→` between selections. */
  readonly preferred: string;
  readonly fallback: string | undefined;
  readonly rest: StrategyRule;
}

/** Orders that a target's config tells; the others are left as they are. */
function ordered(selection: Selection, targets: readonly Deployment[]): readonly Deployment[] {
  const figures = {
    largest_window: (d: Deployment) => d.contextWindow ?? 0,
    quality: (d: Deployment) => d.weights.quality,
  };
  const [order] = selection.order;
  if (order !== "largest_window" && order !== "quality") return targets;
  return [...targets].sort((a, b) => figures[order](b) - figures[order](a));
}

/** The first rule whose condition holds and whose first selection selects anything. */
function decide(name: BuiltInStrategy, { lists = all, targets = {}, settings, ...facts }: Situation = {}): Outcome {
  const strategy = builtInStrategies(lists).get(name);
  if (strategy === undefined) throw new Error(`${name} is missing`);
  const count = (placement: string): number =>
    lists.deployments.filter((entry) => entry.upstream.placement === placement).length;
  const given = routingFacts({
    ...facts,
    settings: { ...strategy.settings, ...settings },
    local: { count: count("local"), adequate: count("local"), promptAdequate: count("local"), ...facts.local },
    cloud: { count: count("cloud"), ...facts.cloud },
  });
  const selected = (selection: Selection): readonly Deployment[] => {
    const kept = selection.targets.filter((entry) => {
      const target = targetFacts(entry, { adequate: (facts.local?.adequate ?? 1) > 0, ...targets[entry.model] });
      return selection.where?.({ ...given, target }) ?? true;
    });
    return ordered(selection, kept).slice(0, selection.limit);
  };
  const show = (selections: readonly Selection[]): string =>
    selections
      .map((selection) =>
        selected(selection)
          .map(({ model }) => model)
          .join(" "),
      )
      .join(" → ");
  for (const rule of strategy.rules) {
    const [first] = rule.prefer;
    if (rule.when?.(given) === false || first === undefined || selected(first).length === 0) continue;
    return {
      rule: rule.name,
      reason: rule.reason,
      preferred: show(rule.prefer),
      fallback: rule.fallback && show(rule.fallback),
      rest: rule,
    };
  }
  throw new Error("no rule decided");
}

const inadequate = { adequate: 0, promptAdequate: 0 };

test("every built-in strategy is there, says what it does and prefers something in any catalogue", () => {
  for (const lists of [all, only(qwen), only(sonnet, flash), only(coder, opus)]) {
    const strategies = builtInStrategies(lists);
    expect([...strategies.keys()]).toEqual([...builtInNames]);
    for (const { name, description, origin, source } of strategies.values()) {
      expect(description).not.toBe("");
      expect(origin).toBe("built-in");
      expect(source).toStartWith(`${name}:\n`);
      const forbidden = name === "self_hosted_only" ? "local" : name === "cloud_only" ? "cloud" : undefined;
      if (lists.deployments.every((entry) => entry.upstream.placement !== forbidden) && forbidden !== undefined)
        continue;
      expect(decide(name as BuiltInStrategy, { lists }).preferred).not.toBe("");
    }
  }
});

describe("auto", () => {
  test("over 100,000 tokens goes to the largest window, on cloud, also where a local one is trusted", () => {
    const outcome = decide("auto", { request: { promptTokens: 100_001 } });
    expect(outcome).toMatchObject({ rule: "very long prompt", reason: "long_context" });
    expect(outcome.preferred).toBe("flash sonnet opus");
    expect(outcome.fallback).toEndWith(" → qwen2.5-7b qwen2.5-coder-7b");
    expect(outcome.rest.prefer[0]?.order).toEqual(["largest_window"]);
    expect(decide("auto", { request: { promptTokens: 100_000 } }).rule).toBe("local is adequate");
  });

  test("over 50,000 tokens goes to the cheap long windows in the config's order", () => {
    const outcome = decide("auto", { request: { promptTokens: 50_001 }, local: inadequate });
    expect(outcome).toMatchObject({ rule: "long prompt", reason: "long_context", preferred: "flash sonnet" });
    expect(outcome.fallback).toBe("sonnet → flash sonnet opus → qwen2.5-7b qwen2.5-coder-7b");
    const edge = decide("auto", { request: { promptTokens: 50_000 }, local: inadequate });
    expect(edge.rule).toBe("prompt too long for local");
  });

  test("over 50,000 tokens stays on a local deployment that is trusted with them: the 50K profile", () => {
    expect(decide("auto", { request: { promptTokens: 60_000 }, local: { adequate: 1 } }).reason).toBe("local_adequate");
  });

  test("a code-generation task goes to the local code model, whatever its size and complexity", () => {
    const request = { task: "code_generation", complexity: 0.9, promptTokens: 20_000 } as const;
    const outcome = decide("auto", { request, local: inadequate });
    expect(outcome).toMatchObject({ rule: "code", reason: "code_task", preferred: "qwen2.5-coder-7b" });
    expect(outcome.fallback).toBeUndefined();
  });

  test("a code-generation task without a code model, or with one whose window is too small, is like any other", () => {
    const request = { task: "code_generation" } as const;
    expect(decide("auto", { request, lists: only(qwen, sonnet) }).reason).toBe("local_adequate");
    const targets = { "qwen2.5-coder-7b": { fits: false } };
    expect(decide("auto", { request, targets, local: inadequate }).reason).toBe("prompt_too_long");
  });

  test("complexity of 0.7 and more goes to the best premium model", () => {
    const outcome = decide("auto", { request: { complexity: 0.7 } });
    expect(outcome).toMatchObject({ rule: "complex for a premium model", reason: "complex", preferred: "opus sonnet" });
    expect(outcome.rest.prefer[0]?.order).toEqual(["quality"]);
    expect(outcome.fallback).toBe("sonnet → flash sonnet opus → qwen2.5-7b qwen2.5-coder-7b");
    expect(decide("auto", { request: { complexity: 0.69 } }).reason).toBe("local_adequate");
  });

  test("complexity goes to the best cloud model where none is premium, and is nothing without cloud", () => {
    const request = { complexity: 0.8 };
    const outcome = decide("auto", { request, lists: only(qwen, flash) });
    expect(outcome).toMatchObject({ rule: "complex for the best model", reason: "complex", preferred: "flash" });
    expect(decide("auto", { request, lists: only(qwen) }).reason).toBe("local_adequate");
    expect(decide("auto", { request, lists: only(sonnet, opus, flash) }).preferred).toBe("opus sonnet");
  });

  test("the premium threshold is a setting", () => {
    expect(decide("auto", { request: { complexity: 0.5 }, settings: { premiumComplexity: 0.4 } }).reason).toBe(
      "complex",
    );
  });

  test("a wish for an answer within 500 ms goes to the fastest local deployment", () => {
    const outcome = decide("auto", { request: { maxLatencyMs: 499 }, local: inadequate });
    expect(outcome).toMatchObject({ rule: "answer wanted soon", reason: "latency_wish" });
    expect(outcome.preferred).toBe("qwen2.5-7b qwen2.5-coder-7b");
    expect(outcome.rest.prefer[0]?.order).toEqual(["fastest"]);
    expect(decide("auto", { request: { maxLatencyMs: 500 }, local: inadequate }).reason).toBe("prompt_too_long");
  });

  test("what a local deployment is trusted with goes to the cheapest of those", () => {
    const outcome = decide("auto", { targets: { "qwen2.5-7b": { adequate: false } } });
    expect(outcome).toMatchObject({
      rule: "local is adequate",
      reason: "local_adequate",
      preferred: "qwen2.5-coder-7b",
    });
    expect(outcome.rest.prefer[0]?.order[0]).toBe("cheapest");
    expect(outcome.fallback).toBeUndefined();
  });

  test("without cloud the local deployments serve what they are not trusted with", () => {
    const outcome = decide("auto", { lists: only(qwen), local: inadequate, request: { promptTokens: 15_000 } });
    expect(outcome).toMatchObject({ reason: "no_cloud", preferred: "qwen2.5-7b", fallback: "" });
    const veryLong = decide("auto", { lists: only(qwen), local: inadequate, request: { promptTokens: 200_000 } });
    expect(veryLong.reason).toBe("no_cloud");
  });

  test("without local deployments a simple request goes to the plain cloud model", () => {
    const outcome = decide("auto", { lists: only(sonnet, opus, flash), local: inadequate });
    expect(outcome).toMatchObject({ reason: "no_local", preferred: "sonnet", fallback: "flash sonnet opus" });
  });

  test("a longer prompt than local is trusted with goes to the first of autoCloud, local ones last", () => {
    const outcome = decide("auto", { local: inadequate, request: { promptTokens: 1_501 } });
    expect(outcome).toMatchObject({ reason: "prompt_too_long", preferred: "sonnet" });
    expect(outcome.fallback).toBe("flash sonnet opus → qwen2.5-7b qwen2.5-coder-7b");
  });

  test("a longer output than local is trusted with goes there too", () => {
    const outcome = decide("auto", { local: { adequate: 0, promptAdequate: 1 }, request: { maxTokens: 2_000 } });
    expect(outcome).toMatchObject({ reason: "output_too_long", preferred: "sonnet" });
    expect(outcome.fallback).toBe("flash sonnet opus → qwen2.5-7b qwen2.5-coder-7b");
  });

  test("where a route leaves local targets only, while cloud ones exist elsewhere, those serve", () => {
    const situation = { lists: only(qwen), cloud: { count: 3 }, local: inadequate };
    expect(decide("auto", situation)).toMatchObject({ rule: "whatever there is", preferred: "qwen2.5-7b" });
  });
});

describe("fast", () => {
  test("takes the lowest observed latency, what nobody measured behind it", () => {
    const outcome = decide("fast", { targets: { flash: { ttftMs: 300 }, "qwen2.5-7b": { ttftMs: 80 } } });
    expect(outcome.rule).toBe("lowest observed latency");
    expect(outcome.preferred).toBe("qwen2.5-7b flash → qwen2.5-7b qwen2.5-coder-7b → sonnet opus flash");
    expect(outcome.rest.prefer[0]?.order).toEqual(["fastest"]);
  });

  test("begins with local ones while nothing was observed", () => {
    const outcome = decide("fast");
    expect(outcome.rule).toBe("nothing observed");
    expect(outcome.preferred).toBe("qwen2.5-7b qwen2.5-coder-7b → sonnet opus flash");
  });

  test("takes what there is without local ones", () => {
    expect(decide("fast", { lists: only(sonnet, flash) })).toMatchObject({
      rule: "nothing observed and no local",
      preferred: "sonnet flash",
    });
  });
});

test("quality takes the highest weight of quality, of equal ones the cheapest", () => {
  const outcome = decide("quality");
  expect(outcome.preferred).toStartWith("opus sonnet flash ");
  expect(outcome.rest.prefer[0]?.order).toEqual(["quality", "cheapest"]);
});

test("cost takes the cheapest of all", () => {
  const { rule, rest } = decide("cost");
  expect(rule).toBe("lowest price");
  expect(rest.prefer[0]?.order).toEqual(["cheapest"]);
  expect(rest.prefer[0]?.targets).toEqual(all.deployments);
});

describe("long_context", () => {
  test("takes windows that fit, the largest first", () => {
    const outcome = decide("long_context", {
      targets: { "qwen2.5-7b": { fits: false }, "qwen2.5-coder-7b": { fits: false } },
    });
    expect(outcome.rule).toBe("window fits");
    expect(outcome.preferred).toStartWith("flash sonnet opus → ");
  });

  test("takes the largest where none fits", () => {
    const small = { fits: false };
    const targets = { sonnet: small, flash: small };
    expect(decide("long_context", { lists: only(sonnet, flash), targets })).toMatchObject({
      rule: "largest window",
      preferred: "flash sonnet",
    });
  });
});

test("balanced weighs cost, latency and quality alike", () => {
  const [selection] = decide("balanced").rest.prefer;
  expect(selection?.order).toEqual(["balanced"]);
  expect(selection?.weights).toEqual({ cost: 1, latency: 1, quality: 1 });
  expect(selection?.targets).toEqual(all.deployments);
});

describe("hybrid", () => {
  const free = { priced: true, pricePer1k: 0.009, queueDepth: 10, ttftMs: 5_000 };
  const local = (facts: Partial<TargetFacts>) => ({
    "qwen2.5-7b": facts,
    "qwen2.5-coder-7b": { priced: true, pricePer1k: 9 },
  });

  test("is local while that costs less than 0.01 $/1K, waits for at most 10 and answers within 5 s", () => {
    const outcome = decide("hybrid", { targets: local(free) });
    expect(outcome).toMatchObject({ rule: "local is cheap and free", preferred: "qwen2.5-7b" });
    expect(outcome.fallback).toBe("sonnet opus flash → qwen2.5-7b qwen2.5-coder-7b");
    expect(outcome.rest.fallback?.[0]?.order).toEqual(["cheapest"]);
  });

  test("takes an unpriced local target for cheap: its hour is paid anyway", () => {
    expect(decide("hybrid", { targets: local({ ...free, priced: false }) }).preferred).toBe("qwen2.5-7b");
  });

  test.each([
    ["dear", { pricePer1k: 0.01 }],
    ["crowded", { queueDepth: 11 }],
    ["slow", { ttftMs: 5_001 }],
  ])("goes to the cheapest cloud when local is %s", (_, worse) => {
    const outcome = decide("hybrid", { targets: local({ ...free, ...worse }) });
    expect(outcome).toMatchObject({ rule: "cheapest cloud", preferred: "sonnet opus flash" });
    expect(outcome.rest.prefer[0]?.order).toEqual(["cheapest"]);
  });

  test("means a local model that is not ready all the same, so that it is woken while the cheapest cloud serves", () => {
    const outcome = decide("hybrid", { targets: local({ ...free, ready: false }) });
    expect(outcome).toMatchObject({ rule: "local is cheap and free", preferred: "qwen2.5-7b" });
    expect(outcome.fallback).toStartWith("sonnet opus flash");
  });

  test("its limits are settings", () => {
    const settings = { localCostThreshold: 0.02, maxQueueDepth: 20, maxLatencyMs: 9_000 };
    const targets = local({ ...free, pricePer1k: 0.019, queueDepth: 20, ttftMs: 9_000 });
    expect(decide("hybrid", { settings, targets }).preferred).toBe("qwen2.5-7b");
  });

  test("never leaves with externalFallback: false", () => {
    const outcome = decide("hybrid", {
      settings: { externalFallback: false },
      targets: local({ ...free, queueDepth: 99 }),
    });
    expect(outcome).toMatchObject({ rule: "local only", preferred: "qwen2.5-7b qwen2.5-coder-7b", fallback: "" });
    expect(outcome.rest.confinedTo).toBe("local");
  });
});

describe("local_first", () => {
  test("is local, cloud behind it, and lets a local one that is down give its reason", () => {
    const outcome = decide("local_first", { targets: { "qwen2.5-7b": { ready: false } } });
    expect(outcome).toMatchObject({ rule: "local", reason: "strategy", preferred: "qwen2.5-7b qwen2.5-coder-7b" });
    expect(outcome.fallback).toBe("sonnet → flash sonnet opus → qwen2.5-7b qwen2.5-coder-7b");
  });

  test("is cloud when local is overloaded", () => {
    const busy = { queueDepth: 11 };
    const targets = { "qwen2.5-7b": busy, "qwen2.5-coder-7b": busy };
    expect(decide("local_first", { targets })).toMatchObject({
      rule: "local is overloaded",
      reason: "local_full",
      preferred: "sonnet",
    });
    expect(decide("local_first", { targets, lists: only(qwen) })).toMatchObject({
      rule: "overloaded and no cloud",
      preferred: "qwen2.5-7b",
    });
  });

  test("is cloud when there is no local one", () => {
    expect(decide("local_first", { lists: only(sonnet, flash) })).toMatchObject({
      rule: "no local",
      reason: "no_local",
      preferred: "sonnet",
    });
  });
});

describe("cloud_first", () => {
  test("is the plain cloud model, then the others, then local ones", () => {
    const outcome = decide("cloud_first");
    expect(outcome.preferred).toBe("sonnet → flash sonnet opus");
    expect(outcome.fallback).toBe("qwen2.5-7b qwen2.5-coder-7b");
  });

  test("is local where there is no cloud", () => {
    expect(decide("cloud_first", { lists: only(qwen) })).toMatchObject({ reason: "no_cloud", preferred: "qwen2.5-7b" });
  });
});

describe("capability", () => {
  const tooSmall = { targets: { "qwen2.5-7b": { fits: false }, "qwen2.5-coder-7b": { fits: false } } };

  test("takes the cheapest code model for code", () => {
    const outcome = decide("capability", { request: { task: "code_analysis" } });
    expect(outcome).toMatchObject({ rule: "code model" });
    expect(outcome.preferred).toStartWith("qwen2.5-coder-7b → ");
  });

  test("takes the cheapest premium model for what is complex", () => {
    const outcome = decide("capability", { request: { complexity: 0.7, task: "code_generation" } });
    expect(outcome.rule).toBe("premium model");
    expect(outcome.preferred).toStartWith("sonnet opus → ");
    expect(outcome.rest.prefer[0]?.order[0]).toBe("cheapest");
  });

  test("takes the cheapest whose window fits for all else", () => {
    const outcome = decide("capability", tooSmall);
    expect(outcome).toMatchObject({ rule: "window fits", preferred: "sonnet opus flash" });
    expect(outcome.rest.prefer[0]?.order[0]).toBe("cheapest");
  });

  test("takes the largest window where none fits", () => {
    expect(decide("capability", { lists: only(qwen), ...tooSmall })).toMatchObject({ rule: "largest window" });
  });
});

test("self_hosted_only never leaves, and selects nothing where nothing is local", () => {
  const outcome = decide("self_hosted_only");
  expect(outcome).toMatchObject({ preferred: "qwen2.5-7b qwen2.5-coder-7b", fallback: "" });
  expect(outcome.rest.confinedTo).toBe("local");
  expect(() => decide("self_hosted_only", { lists: only(sonnet) })).toThrow("no rule decided");
});

test("cloud_only never comes back, and selects nothing where nothing is cloud", () => {
  const outcome = decide("cloud_only");
  expect(outcome).toMatchObject({ preferred: "sonnet → flash sonnet opus", fallback: "" });
  expect(outcome.rest.confinedTo).toBe("cloud");
  expect(() => decide("cloud_only", { lists: only(qwen) })).toThrow("no rule decided");
});
