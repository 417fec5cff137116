import { describe, expect, test } from "bun:test";
import { FixedShare, leastBusy, roundRobin } from "./baselines.ts";
import { FairleadRouter } from "./fairlead-router.ts";
import { simulate } from "./simulate.ts";
import { type EngineTraits, SimulatedEngine } from "./simulated-engine.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { makeWorkload, type SimulatedRequest } from "./workload.ts";

const traits: EngineTraits = {
  name: "one",
  slots: 2,
  prefillTokensPerSecond: 1_000,
  decodeTokensPerSecond: 100,
  slowdown: 0.5,
  cacheTokens: 10_000,
  networkMs: 0,
};

function request(more: Partial<SimulatedRequest> = {}): SimulatedRequest {
  return {
    id: 0,
    atMs: 0,
    conversation: 1,
    system: 0,
    systemTokens: 100,
    promptTokens: 500,
    outputTokens: 11,
    estimatedTokens: 500,
    ...more,
  };
}

/** Sends requests to an idle engine at once; when each got its first token and its end. */
function run(requests: readonly SimulatedRequest[], engine = traits): { firstMs: number; endMs: number }[] {
  const clock = new VirtualClock();
  const simulated = new SimulatedEngine(engine, clock);
  const times = requests.map(() => ({ firstMs: 0, endMs: 0 }));
  requests.forEach((each, at) => {
    clock.at(each.atMs, () => {
      const time = times[at];
      if (time === undefined) return;
      simulated.send(each, {
        firstToken() {
          time.firstMs = clock.nowMs;
        },
        end() {
          time.endMs = clock.nowMs;
        },
      });
    });
  });
  clock.runUntil(1e9);
  return times;
}

describe("the simulated engine", () => {
  test("reads the prompt, then gives its tokens", () => {
    expect(run([request()])).toEqual([{ firstMs: 510, endMs: 610 }]);
  });

  test("streams slow each other while they run side by side", () => {
    const [first, second] = run([request({ outputTokens: 1_001 }), request({ conversation: 2, outputTokens: 101 })]);
    expect(second?.firstMs).toBeCloseTo(920);
    // 100 tokens at two thirds of the speed.
    expect((second?.endMs ?? 0) - (second?.firstMs ?? 0)).toBeCloseTo(1_500);
    expect(first?.endMs).toBeCloseTo(10_510 + 500);
  });

  test("those beyond its slots wait for one to become free", () => {
    const times = run([1, 2, 3].map((conversation) => request({ conversation, outputTokens: 1_001 })));
    expect(times[2]?.firstMs).toBeGreaterThan(times[0]?.endMs ?? Infinity);
  });

  test("what its cache holds is not read again: a conversation's turns, else the shared system prompt", () => {
    const turns = [
      request(),
      request({ atMs: 5_000, promptTokens: 611 }),
      request({ atMs: 10_000, conversation: 2, promptTokens: 200 }),
    ];
    const [, second, third] = run(turns);
    expect((second?.firstMs ?? 0) - 5_000).toBeCloseTo(100 + 10);
    expect((third?.firstMs ?? 0) - 10_000).toBeCloseTo(100 + 10);
  });

  test("what was used least recently leaves a full cache", () => {
    const turns = [
      request(),
      request({ atMs: 5_000, conversation: 2, system: 1, promptTokens: 500 }),
      request({ atMs: 10_000, promptTokens: 611 }),
    ];
    const [, , third] = run(turns, { ...traits, cacheTokens: 700 });
    expect((third?.firstMs ?? 0) - 10_000).toBeGreaterThan(400);
  });
});

test("events come in order of time, then of creation, and cancelled ones never", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  for (const [atMs, name] of [
    [30, "c"],
    [10, "a"],
    [20, "x"],
    [10, "b"],
    [5, "0"],
  ] as const) {
    const cancel = clock.at(atMs, () => void seen.push(name));
    if (name === "x") cancel();
  }
  clock.runUntil(20);
  expect([seen.join(""), clock.nowMs]).toEqual(["0ab", 20]);
  clock.runUntil(30);
  expect(seen.join("")).toBe("0abc");
});

test("a workload is the same for the same seed, and as dense as asked", () => {
  const workload = makeWorkload(3, 5, 600);
  expect(workload).toEqual(makeWorkload(3, 5, 600));
  expect(workload).not.toEqual(makeWorkload(4, 5, 600));
  expect(workload.length / 600).toBeGreaterThan(3.5);
  expect(workload.length / 600).toBeLessThan(6.5);
});

describe("contestants", () => {
  const engines = [traits, { ...traits, name: "two" }];
  const workload = makeWorkload(5, 1, 300);

  test("every request is answered once, and a run can be repeated", () => {
    const runs = [0, 1].map(() =>
      simulate(workload, engines, new FairleadRouter(["one", "two"], { maxTtftMs: 1_000, maxUsdPerHour: 50 }, 1), 1),
    );
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.requests).toBe(workload.length);
  });

  test("without money Fairlead stays local; with it, it spends no more than its cap", () => {
    const ours = (maxUsdPerHour: number) =>
      simulate(workload, engines, new FairleadRouter(["one", "two"], { maxTtftMs: 200, maxUsdPerHour }, 1), 1);
    expect([ours(0).usd, ours(0).localShare]).toEqual([0, 1]);
    const [free, capped] = [ours(1_000).usd, ours(0.05).usd];
    expect(free).toBeGreaterThan(0.1);
    expect(capped).toBeGreaterThan(0.03);
    // Held by what a request is expected to cost; one answer may be longer than that.
    expect(capped).toBeLessThan(0.06);
  });

  test("a larger cloud share costs more, all of it most", () => {
    const usd = [0, 0.3, 1].map((share) => simulate(workload, engines, new FixedShare(roundRobin(), 2, share), 1).usd);
    expect(usd[0]).toBe(0);
    expect(usd[1]).toBeLessThan(usd[2] ?? 0);
  });

  test("least-busy takes the engine with the fewest requests, equal ones in turn", () => {
    const pick = leastBusy();
    expect([pick([2, 1, 3]), pick([4, 4, 0])]).toEqual([1, 2]);
    expect(new Set([pick([1, 1]), pick([1, 1])]).size).toBe(2);
  });
});
