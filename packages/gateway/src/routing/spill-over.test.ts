import { describe, expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { liveState, priceOf, runStream, views } from "../../test/fixtures/target-views.ts";
import type { Deployment } from "../core/deployment.ts";
import { SpillCap } from "./spill-cap.ts";
import { spillOver } from "./spill-over.ts";

const slow = deployment(upstream("vllm", "local"), "slow");
const other = deployment(upstream("other", "local"), "other");
const cloud = deployment(upstream("cloudy", "cloud"), "cloud");
const far = deployment(upstream("faraway", "cloud"), "far");

interface Known {
  readonly ttftMs: readonly (readonly [Deployment, number])[];
  readonly unpriced?: readonly Deployment[];
}

function spill(
  targets: readonly Deployment[],
  limitMs: number,
  { ttftMs, unpriced = [] }: Known,
  cap: SpillCap | undefined = undefined,
) {
  const live = liveState();
  // Cloud answers as fast as it does, whatever the prompt: several runs make the figure known.
  for (const [target, ms] of ttftMs) for (let i = 0; i < 6; i++) runStream(live, target, i * 10_000, { ttftMs: ms });
  const all = views(targets, live, {
    nowMs: 61_000,
    features: { inputTokens: 100 },
    priceOf: (target) =>
      target.upstream.placement === "cloud" && !unpriced.includes(target) ? priceOf(10, 10) : undefined,
  });
  const viewOf = (target: Deployment) => {
    const view = all.find((one) => one.deployment === target);
    if (view === undefined) throw new Error("no such view");
    return view;
  };
  return spillOver(targets, limitMs, viewOf, cap, 61_000);
}

describe("the order stands", () => {
  test("while the local target in front answers in time", () => {
    expect(spill([slow, cloud], 1_000, { ttftMs: [[slow, 900]] })).toBeUndefined();
  });

  test("while nobody knows when it answers", () => {
    expect(spill([slow, cloud], 1, { ttftMs: [] })).toBeUndefined();
  });

  test("when cloud is in front already, or nobody else is there", () => {
    const late = { ttftMs: [[cloud, 5_000]] } as const;
    expect(spill([cloud, slow], 100, late)).toBeUndefined();
    expect(spill([slow], 100, { ttftMs: [[slow, 5_000]] })).toBeUndefined();
    expect(spill([], 100, { ttftMs: [] })).toBeUndefined();
  });

  test("when cloud is known to be slower still", () => {
    const known = {
      ttftMs: [
        [slow, 500],
        [cloud, 3_000],
      ],
    } as const;
    expect(spill([slow, cloud], 100, known)).toBeUndefined();
  });
});

describe("a late local target gives way", () => {
  test("to the first cloud target that is not slower, and stays behind it", () => {
    const known = {
      ttftMs: [
        [slow, 1_000],
        [far, 4_000],
        [cloud, 200],
      ],
    } as const;
    const over = spill([slow, far, cloud], 500, known);
    expect(over?.targets).toEqual([cloud, slow, far]);
    // About 100 tokens in and 100 out at 10 dollars a million.
    expect(over?.costUsd).toBeCloseTo(0.002, 6);
  });

  test("to a cloud target that nobody has measured", () => {
    expect(spill([slow, cloud], 500, { ttftMs: [[slow, 1_000]] })?.targets).toEqual([cloud, slow]);
  });

  test("to another local one that is in time, for nothing; not to one that nobody has measured", () => {
    const measured = {
      ttftMs: [
        [slow, 1_000],
        [other, 100],
      ],
    } as const;
    const over = spill([slow, other, cloud], 500, measured);
    expect(over).toEqual({ targets: [other, slow, cloud], costUsd: undefined });
    expect(spill([slow, other, cloud], 500, { ttftMs: [[slow, 1_000]] })?.targets).toEqual([cloud, slow, other]);
  });
});

describe("the dollars of an hour", () => {
  const late = { ttftMs: [[slow, 1_000]] } as const;

  test("bound it", () => {
    expect(spill([slow, cloud], 500, late, new SpillCap(1))?.targets[0]).toBe(cloud);
    expect(spill([slow, cloud], 500, late, new SpillCap(0.000_001))).toBeUndefined();
  });

  test("pass over what nobody can price where there is a cap, and only there", () => {
    const unpriced = { ...late, unpriced: [cloud] };
    expect(spill([slow, cloud, far], 500, unpriced, new SpillCap(1))?.targets).toEqual([far, slow, cloud]);
    expect(spill([slow, cloud, far], 500, unpriced, new SpillCap())?.targets).toEqual([cloud, slow, far]);
  });
});
