import type { Choice, Contestant } from "./contestant.ts";
import { cloudCostUsd } from "./fairlead-router.ts";
import { SimulatedCloud } from "./simulated-cloud.ts";
import { type EngineTraits, type Listener, SimulatedEngine } from "./simulated-engine.ts";
import { VirtualClock } from "./virtual-clock.ts";
import type { SimulatedRequest } from "./workload.ts";

/** What one contestant made of one workload. */
export interface Outcome {
  readonly requests: number;
  readonly ttftP50Ms: number;
  readonly ttftP99Ms: number;
  readonly usd: number;
  readonly localShare: number;
  /** Share of prompt tokens on engines that needed no reading. */
  readonly prefixHitRate: number;
  /** Local answers completed in each second of the run's second half. */
  readonly localPerSecond: number;
}

const scrapeMs = 5_000;
/** Metrics are this old when a gateway reads them. */
const lagMs = 5_000;

/** Plays a workload through a contestant on a virtual clock, until the last answer has ended. */
export function simulate(
  workload: readonly SimulatedRequest[],
  engineTraits: readonly EngineTraits[],
  contestant: Contestant,
  seed: number,
): Outcome {
  const clock = new VirtualClock();
  const engines = engineTraits.map((traits) => new SimulatedEngine(traits, clock));
  const cloud = new SimulatedCloud(clock, seed);
  const ttfts: number[] = [];
  const endMs = workload.at(-1)?.atMs ?? 0;
  let usd = 0;
  let local = 0;
  let localLate = 0;
  const send = (request: SimulatedRequest): void => {
    const { choice, events } = contestant.choose(request, clock.nowMs);
    const listener: Listener = {
      firstToken() {
        ttfts.push(clock.nowMs - request.atMs);
        events.firstToken(clock.nowMs);
      },
      end() {
        events.end(request.outputTokens, clock.nowMs);
        if (choice !== "cloud" && clock.nowMs > endMs / 2 && clock.nowMs <= endMs) localLate++;
      },
    };
    if (choice === "cloud") usd += cloudCostUsd(request);
    else local++;
    targetOf(choice, engines, cloud).send(request, listener);
  };
  for (const request of workload) clock.at(request.atMs, () => send(request));
  const scrape = (): void => {
    engines.forEach(({ running, waiting }, engine) => {
      clock.after(lagMs, () => contestant.scraped(engine, { running, waiting }, clock.nowMs));
    });
    if (clock.nowMs < endMs) clock.after(scrapeMs, scrape);
  };
  clock.after(0, scrape);
  clock.runUntil(endMs * 100);
  ttfts.sort((a, b) => a - b);
  const sum = (of: (engine: SimulatedEngine) => number): number => engines.reduce((total, e) => total + of(e), 0);
  return {
    requests: ttfts.length,
    ttftP50Ms: percentile(ttfts, 0.5),
    ttftP99Ms: percentile(ttfts, 0.99),
    usd,
    localShare: local / workload.length,
    prefixHitRate:
      sum((engine) => engine.hitTokens) /
      Math.max(
        1,
        sum((engine) => engine.promptTokens),
      ),
    localPerSecond: localLate / (endMs / 2_000),
  };
}

function targetOf(
  choice: Choice,
  engines: readonly SimulatedEngine[],
  cloud: SimulatedCloud,
): SimulatedEngine | SimulatedCloud {
  return choice === "cloud" ? cloud : (engines[choice] ?? cloud);
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
