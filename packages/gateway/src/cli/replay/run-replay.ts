import type { Env } from "../../config/interpolate.ts";
import { createPriceBook } from "../../config/price-book/create-price-book.ts";
import type { PriceBook } from "../../ledger/price-book.ts";
import { RoutingState } from "../../routing/routing-state.ts";
import { CommandError } from "../command-error.ts";
import type { CommandResult } from "../config-check.ts";
import { type Deciding, decideAgain, type Outcome } from "./decide-again.ts";
import { FairChance } from "./fair-chance.ts";
import { KnownKeys } from "./known-keys.ts";
import { loadPolicy, type Policy } from "./load-policy.ts";
import { openTraffic, type TrafficOptions } from "./open-traffic.ts";
import { type PricedAgain, priceAgain } from "./price-again.ts";
import { readLines } from "./read-lines.ts";
import { RecordedMeter } from "./recorded-meter.ts";
import { type RecordedRequest, readRecordedRequest } from "./recorded-request.ts";
import { RecordedState } from "./recorded-state.ts";
import { ReplayClock } from "./replay-clock.ts";
import { type ReplayReport, replayJson, replayText } from "./replay-report.ts";
import { isMoved, ReplayTally } from "./replay-tally.ts";

export interface ReplayOptions extends TrafficOptions {
  readonly policy: string;
  readonly live: "recorded" | "ready";
  readonly json: boolean;
  /** Recorded requests that are decided again at most. */
  readonly limit?: number | undefined;
  /** How many requests that go elsewhere are shown. */
  readonly changes: number;
}

/**
 * Decides recorded requests again under another config and compares. Nothing is sent to any upstream; memory does not grow
 * with the traffic.
 * @throws ConfigError when the policy is wrong, CommandError when the traffic cannot be read or holds nothing of use
 */
export async function runReplay(options: ReplayOptions, env: Env): Promise<CommandResult> {
  const policy = loadPolicy(options.policy, env);
  const traffic = await openTraffic(options, env);
  const replay = await Replay.of(policy, options);
  for await (const line of readLines(traffic)) {
    if (replay.isFull) break;
    replay.read(line);
  }
  const report = replay.report();
  if (report.summary.requests === 0) {
    const why = report.unusable.map(([reason, count]) => `${count} ${reason}`).join(", ");
    throw new CommandError(
      `The traffic holds no decision to make again${why === "" ? "" : ` (lines of no use: ${why})`}. Expected JSON lines from GET /admin/v1/ledger/export?format=jsonl or GET /v1/decisions/{id}.`,
    );
  }
  const output = options.json ? JSON.stringify(replayJson(report), null, 2) : replayText(report);
  return { exitCode: report.summary.after.boundLeaving > 0 || report.summary.leaks.length > 0 ? 1 : 0, output };
}

class Replay {
  readonly #policy: Policy;
  readonly #options: ReplayOptions;
  readonly #deciding: Deciding;
  readonly #meter: RecordedMeter;
  readonly #clock: ReplayClock;
  readonly #tally: ReplayTally;
  readonly #unusable = new Map<string, number>();
  #missedHeaders = 0;
  #outOfOrder = 0;
  #lastMs = 0;

  static async of(policy: Policy, options: ReplayOptions): Promise<Replay> {
    const { upstreams, pricing } = policy.resolved;
    const meter = new RecordedMeter(upstreams.map(({ name }) => name));
    const clock = new ReplayClock();
    return new Replay(policy, options, meter, clock, await createPriceBook({ pricing, upstreams, meter, clock }));
  }

  private constructor(
    policy: Policy,
    options: ReplayOptions,
    meter: RecordedMeter,
    clock: ReplayClock,
    prices: PriceBook,
  ) {
    const { catalogue, breakerLimits } = policy.resolved;
    this.#policy = policy;
    this.#options = options;
    this.#meter = meter;
    this.#clock = clock;
    this.#tally = new ReplayTally(options.changes);
    this.#deciding = {
      catalogue,
      prices,
      state: new RecordedState(catalogue, breakerLimits, options.live),
      routing: new RoutingState(catalogue),
      keys: new KnownKeys(),
      chance: new FairChance(),
      missesHeaders: () => this.#missedHeaders++,
      usesRecorded: options.live === "recorded",
    };
  }

  get isFull(): boolean {
    return this.#tally.requests >= (this.#options.limit ?? Number.POSITIVE_INFINITY);
  }

  read(line: string): void {
    const request = readRecordedRequest(line);
    if (typeof request === "string") this.#skip(request);
    else if (request.error === undefined && request.served === undefined)
      this.#skip("client left before it was routed");
    else this.#again(request);
  }

  #skip(reason: string): void {
    this.#unusable.set(reason, (this.#unusable.get(reason) ?? 0) + 1);
  }

  #again(request: RecordedRequest): void {
    if (request.atMs < this.#lastMs) this.#outOfOrder++;
    this.#lastMs = Math.max(this.#lastMs, request.atMs);
    const nowMs = this.#clock.moveTo(request.atMs);
    for (const { upstream, priceVersion } of request.attempts)
      if (upstream !== undefined && priceVersion !== undefined) this.#meter.note(upstream, priceVersion);
    const { state, prices } = this.#deciding;
    state.arrive(request, nowMs);
    const outcome = decideAgain(request, nowMs, this.#deciding);
    const cost = priceAgain(request, { target: outcome.target, isMoved: isMoved(request, outcome) }, prices);
    this.#tally.add(request, outcome, cost);
    this.#follow(request, outcome, cost, nowMs);
  }

  /** What a decision spends is counted when its request ends, as a gateway does. */
  #follow(request: RecordedRequest, { decision, target }: Outcome, { after }: PricedAgain, nowMs: number): void {
    const { state, routing } = this.#deciding;
    const { spillCostUsd, control, strategy } = decision ?? {};
    const release = spillCostUsd === undefined ? undefined : state.live.spillCap.hold(spillCostUsd, nowMs);
    state.follow(request, nowMs, (endMs) => {
      const costUsd = target?.upstream.placement === "cloud" ? (after ?? 0) : 0;
      release?.(costUsd, endMs);
      if (strategy !== undefined && (control?.chose === "cloud" || costUsd > 0))
        routing.spent(strategy, costUsd, endMs);
    });
  }

  report(): ReplayReport {
    return {
      policy: this.#options.policy,
      live: this.#options.live,
      summary: this.#tally.summary(),
      unusable: [...this.#unusable].sort(([, a], [, b]) => b - a),
      headerConditions: this.#policy.headerConditions,
      missedHeaders: this.#missedHeaders,
      outOfOrder: this.#outOfOrder,
    };
  }
}
