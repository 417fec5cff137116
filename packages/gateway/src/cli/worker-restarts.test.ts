import { expect, test } from "bun:test";
import { restartPause } from "./worker-restarts.ts";

test("pauses double while a worker ends soon, and after six times it is given up", () => {
  const pauses: (number | undefined)[] = [];
  let failures = 0;
  for (let i = 0; i < 7; i++) {
    const next = restartPause(failures, 50);
    failures = next.failures;
    pauses.push(next.pauseMs);
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, undefined]);
});

test("one that was up for a while begins anew", () => {
  expect(restartPause(6, 10_000)).toEqual({ failures: 1, pauseMs: 100 });
});
