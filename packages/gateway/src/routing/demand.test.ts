import { expect, test } from "bun:test";
import { Demand } from "./demand.ts";

test("who was served elsewhere counts for a minute, who waits as long as it waits", () => {
  const demand = new Demand();
  expect([demand.count(500), demand.lastMs]).toEqual([0, undefined]);
  for (let i = 0; i < 3; i++) demand.passedOver(1_000);
  demand.passedOver(30_000);
  const end = demand.wait(40_000);
  expect([demand.count(40_000), demand.lastMs]).toEqual([5, 40_000]);
  expect(demand.count(60_999)).toBe(5);
  expect(demand.count(61_000)).toBe(2);
  end();
  end();
  expect(demand.count(61_000)).toBe(1);
  expect(demand.count(10_000_000)).toBe(0);
});

test("a minute later the same second of the clock starts from nothing", () => {
  const demand = new Demand();
  for (let i = 0; i < 180; i++) {
    demand.passedOver(i * 1_000);
    expect(demand.count(i * 1_000)).toBe(Math.min(i + 1, 60));
  }
});
