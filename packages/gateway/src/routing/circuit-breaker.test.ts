import { expect, test } from "bun:test";
import { CircuitBreaker } from "./circuit-breaker.ts";

const limits = { failures: 5, failureRate: 0.5, minTries: 20, windowMs: 30_000, cooldownMs: 60_000, halfOpenTrials: 3 };

function failTimes(breaker: CircuitBreaker, times: number, nowMs: number): void {
  for (let i = 0; i < times; i++) breaker.begin(nowMs)("failure", nowMs);
}

test("five failures in a row open the breaker, four do not", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 4, 0);
  expect(breaker.admits(0)).toBe(true);
  failTimes(breaker, 1, 0);
  expect(breaker.admits(0)).toBe(false);
  expect(breaker.waitMs(0)).toBe(60_000);
});

test("a success between failures starts the count anew", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 4, 0);
  breaker.begin(0)("success", 0);
  failTimes(breaker, 4, 0);
  expect(breaker.state(0)).toBe("closed");
});

test("neutral ends neither count as failures nor as successes", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 4, 0);
  for (let i = 0; i < 10; i++) breaker.begin(0)("neutral", 0);
  failTimes(breaker, 1, 0);
  expect(breaker.state(0)).toBe("open");
});

test("after the cool-down three trials run at a time, and three successes close it", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 5, 0);
  expect(breaker.admits(59_999)).toBe(false);
  const trials = [1, 2, 3].map(() => breaker.begin(60_000));
  expect(breaker.admits(60_000)).toBe(false);
  for (const end of trials) end("success", 60_001);
  expect(breaker.state(60_001)).toBe("closed");
});

test("a failed trial opens it again for twice as long", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 5, 0);
  breaker.begin(60_000)("failure", 60_000);
  expect(breaker.waitMs(60_000)).toBe(120_000);
  breaker.begin(180_000)("failure", 180_000);
  expect(breaker.waitMs(180_000)).toBe(240_000);
});

test("an aborted trial gives its place back", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 5, 0);
  const trials = [1, 2, 3].map(() => breaker.begin(60_000));
  trials[0]?.("neutral", 60_000);
  expect(breaker.admits(60_000)).toBe(true);
});

test("an attempt that began before the breaker opened cannot close it when it ends late", () => {
  const breaker = new CircuitBreaker(limits);
  const slow = breaker.begin(0);
  failTimes(breaker, 5, 0);
  slow("success", 30_000);
  expect(breaker.state(30_000)).toBe("open");
});

test("half of many tries failing opens it, though no five failed in a row", () => {
  const breaker = new CircuitBreaker(limits);
  for (let i = 0; i < 9; i++) {
    breaker.begin(i)("failure", i);
    breaker.begin(i)("success", i);
  }
  breaker.begin(10)("success", 10);
  expect(breaker.state(10)).toBe("closed");
  breaker.begin(10)("failure", 10);
  expect(breaker.state(10)).toBe("open");
});

test("failures that left the window count no more", () => {
  const breaker = new CircuitBreaker(limits);
  for (let i = 0; i < 9; i++) {
    breaker.begin(0)("failure", 0);
    breaker.begin(0)("success", 0);
  }
  for (let i = 0; i < 9; i++) {
    breaker.begin(31_000)("success", 31_000);
    breaker.begin(31_000)("success", 31_000);
    breaker.begin(31_000)("failure", 31_000);
  }
  expect(breaker.state(31_000)).toBe("closed");
});

test("a breaker that closed again starts its share anew", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 5, 0);
  const trials = [1, 2, 3].map(() => breaker.begin(60_000));
  for (const end of trials) end("success", 60_000);
  for (let i = 0; i < 30; i++) breaker.begin(60_001)("success", 60_001);
  failTimes(breaker, 4, 60_002);
  expect(breaker.state(60_002)).toBe("closed");
});

test("each opening is told with its end, and extended while trials fail", () => {
  const openings: number[] = [];
  const breaker = new CircuitBreaker(limits, (untilMs) => openings.push(untilMs));
  failTimes(breaker, 5, 0);
  breaker.begin(60_000)("failure", 60_000);
  breaker.begin(180_000)("failure", 180_000);
  expect(openings).toEqual([60_000, 180_000, 420_000]);
});

test("another replica's hint makes the next failure enough, and changes nothing for a target that works", () => {
  const breaker = new CircuitBreaker(limits);
  breaker.suspect();
  breaker.begin(0)("success", 0);
  failTimes(breaker, 4, 0);
  expect(breaker.state(0)).toBe("closed");
  breaker.begin(0)("success", 0);
  breaker.suspect();
  failTimes(breaker, 1, 0);
  expect(breaker.state(0)).toBe("open");
});

test("a trial whose answer has begun makes room for the next one, and still counts when it ends", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 5, 0);
  const trials = [1, 2, 3].map(() => breaker.begin(60_000));
  expect(breaker.admits(60_000)).toBe(false);
  trials[0]?.("progress", 60_100);
  trials[0]?.("progress", 60_200);
  expect(breaker.admits(60_200)).toBe(true);
  const fourth = breaker.begin(60_200);
  expect(breaker.admits(60_200)).toBe(false);
  trials[1]?.("success", 61_000);
  trials[2]?.("success", 61_000);
  expect(breaker.state(61_000)).toBe("half-open");
  trials[0]?.("success", 90_000);
  expect(breaker.state(90_000)).toBe("closed");
  fourth("failure", 91_000);
  expect(breaker.state(91_000)).toBe("closed");
});

test("a trial that breaks off after its first content opens it again", () => {
  const breaker = new CircuitBreaker(limits);
  failTimes(breaker, 5, 0);
  const trial = breaker.begin(60_000);
  trial("progress", 60_100);
  trial("failure", 60_500);
  expect(breaker.state(60_500)).toBe("open");
});
