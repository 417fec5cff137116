// The gateway's own plan on trial: local targets are asked for by name, balanced by predicted time to the first token, and
// left for the cloud when that is too long and the cap allows.
import type { ChatRequest } from "../../packages/gateway/src/core/chat.ts";
import type { Features } from "../../packages/gateway/src/core/decision.ts";
import type { Deployment } from "../../packages/gateway/src/core/deployment.ts";
import type { Catalogue } from "../../packages/gateway/src/core/gateway-model.ts";
import { toDollars } from "../../packages/gateway/src/core/money.ts";
import { costOf, type PicoDollars, type Price } from "../../packages/gateway/src/core/price.ts";
import { noWish } from "../../packages/gateway/src/core/routing-wish.ts";
import { noUsage } from "../../packages/gateway/src/core/usage.ts";
import { OutputPredictor } from "../../packages/gateway/src/ledger/output-predictor.ts";
import { LiveState } from "../../packages/gateway/src/routing/live-state.ts";
import { plan } from "../../packages/gateway/src/routing/plan.ts";
import type { SettleSpill } from "../../packages/gateway/src/routing/spill-cap.ts";
import { catalogue, deployment, upstream } from "../../packages/gateway/test/fixtures/deployments.ts";
import { features } from "../../packages/gateway/test/fixtures/features.ts";
import type { AttemptEvents, Choice, Contestant, ScrapedLoad } from "./contestant.ts";
import { Seeded } from "./seeded.ts";
import type { SimulatedRequest } from "./workload.ts";

const picoPerMillion = (dollars: number) => ({ base: (dollars * 1_000_000) as PicoDollars, tiers: [] });

/** A cheap cloud model of today, in dollars for a million tokens. */
export const cloudPrice: Price = {
  version: "bench",
  input: picoPerMillion(0.3),
  cachedRead: picoPerMillion(0.075),
  output: picoPerMillion(2.5),
};

/** What a request costs in the cloud, where nothing is cached: the same for every contestant. */
export function cloudCostUsd({ promptTokens, outputTokens }: SimulatedRequest): number {
  return toDollars(costOf({ ...noUsage, inputTokens: promptTokens, outputTokens }, cloudPrice));
}

/** Only its shape matters, for kinds of output. */
const plainRequest = { tools: [], extra: {} } as unknown as ChatRequest;

export interface SpillRules {
  readonly maxTtftMs: number;
  readonly maxUsdPerHour: number;
}

export class FairleadRouter implements Contestant {
  readonly #live = new LiveState({
    failures: 5,
    failureRate: 0.5,
    minTries: 20,
    windowMs: 30_000,
    cooldownMs: 60_000,
    halfOpenTrials: 3,
  });
  readonly #outputs = new OutputPredictor();
  readonly #random: Seeded;
  readonly #local: readonly Deployment[];
  readonly #cloud = deployment(upstream("cloud", "cloud"), "cloud-model");
  readonly #catalogue: Catalogue;

  constructor(engines: readonly string[], spill: SpillRules, seed: number) {
    this.#local = engines.map((name) => deployment(upstream(name, "local"), "local-model"));
    this.#catalogue = catalogue(
      [...this.#local, this.#cloud],
      { local: this.#local },
      { spill, balance: "peak_ewma", autoCloud: [this.#cloud], fallback: [this.#cloud] },
    );
    this.#random = new Seeded(seed);
    this.#live.spillCap.setCap(spill.maxUsdPerHour);
  }

  choose(request: SimulatedRequest, nowMs: number): { choice: Choice; events: AttemptEvents } {
    const asked = features({
      promptTokens: request.estimatedTokens,
      inputTokens: request.estimatedTokens,
      prefixHash: request.system + 1,
      conversationHash: request.conversation,
    });
    const { target, settle } = this.#decide(asked, nowMs);
    const work = { inputTokens: asked.inputTokens, conversationHash: asked.conversationHash, streams: true };
    const attempt = this.#live.begin(target, work, nowMs);
    const events: AttemptEvents = {
      firstToken: (atMs) => attempt.firstToken(atMs),
      end: (outputTokens, atMs) => {
        attempt.end("success", outputTokens, atMs);
        this.#outputs.observe(target.id, plainRequest, asked, outputTokens);
        settle?.(cloudCostUsd(request), atMs);
      },
    };
    return { choice: target === this.#cloud ? "cloud" : this.#local.indexOf(target), events };
  }

  scraped(engine: number, load: ScrapedLoad, nowMs: number): void {
    const target = this.#local[engine];
    if (target === undefined) return;
    this.#live.noteLoad(target.upstream.name, { ...load, kvUsage: undefined }, undefined, nowMs);
  }

  #decide(asked: Features, nowMs: number): { target: Deployment; settle?: SettleSpill | undefined } {
    const { spillCap } = this.#live;
    const ask = {
      model: "local",
      features: asked,
      needs: new Set<never>(),
      wish: noWish,
      key: { id: "", name: "", team: "", user: "", tags: [], region: "" },
      keyIsLocalOnly: false,
      headers: () => ({}),
      stream: true,
      reasoning: "",
    };
    const { targets, spillCostUsd } = plan(ask, {
      catalogue: this.#catalogue,
      live: this.#live,
      nowMs,
      atMs: nowMs,
      priceOf: (target) => (target === this.#cloud ? cloudPrice : undefined),
      outputTokens: (target) => this.#outputs.predict(target.id, plainRequest, asked),
      fraction: this.#random.fraction,
      spillCap,
    });
    const target = targets[0] ?? this.#cloud;
    return { target, settle: spillCostUsd === undefined ? undefined : spillCap.hold(spillCostUsd, nowMs) };
  }
}
