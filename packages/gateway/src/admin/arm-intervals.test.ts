import { expect, test } from "bun:test";
import { seeded } from "../../test/fixtures/ledger-rows.ts";
import { batchMean, meanDifference, meanInterval, shareDifference, shareInterval } from "./arm-intervals.ts";

test("Wilson's interval is that of the books", () => {
  const { low, high } = shareInterval(10, 100)!;
  expect([low, high]).toEqual([expect.closeTo(0.0552, 4), expect.closeTo(0.1744, 4)]);
  expect(shareInterval(0, 20)).toEqual({ low: 0, high: expect.closeTo(0.1611, 4) });
  expect(shareInterval(0, 0)).toBeUndefined();
});

test("Newcombe's difference is that of his paper: 56 of 70 against 48 of 80", () => {
  const { low, high } = shareDifference({ hits: 56, of: 70 }, { hits: 48, of: 80 })!;
  expect([low, high]).toEqual([expect.closeTo(0.0524, 4), expect.closeTo(0.3339, 4)]);
});

test("nothing is said of a mean from fewer than ten hours", () => {
  const nine = Array.from({ length: 9 }, (_, i) => ({ sum: i, count: 1 }));
  expect(batchMean(nine)).toMatchObject({ mean: 4, error: undefined });
  expect(meanInterval(batchMean(nine))).toBeUndefined();
  expect(batchMean([]).mean).toBeUndefined();
});

test("95 of 100 intervals hold the true mean, and two equal arms differ in about 5 of 100", () => {
  const fraction = seeded(7);
  const arm = () =>
    batchMean(
      Array.from({ length: 24 }, () => {
        const count = 1 + Math.floor(fraction() * 30);
        let sum = 0;
        // Skewed as costs are, with a mean of 10.
        for (let i = 0; i < count; i++) sum += -10 * Math.log(1 - fraction());
        return { sum, count };
      }),
    );
  let held = 0;
  let differing = 0;
  const runs = 2_000;
  for (let i = 0; i < runs; i++) {
    const [one, other] = [arm(), arm()];
    const { low, high } = meanInterval(one)!;
    if (low <= 10 && 10 <= high) held++;
    const difference = meanDifference(one, other)!;
    if (difference.low > 0 || difference.high < 0) differing++;
  }
  expect(held / runs).toBeGreaterThan(0.92);
  expect(held / runs).toBeLessThan(0.97);
  expect(differing / runs).toBeLessThan(0.08);
});
