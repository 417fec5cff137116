import type { FairleadConfig } from "../../packages/contract/src/config-schema.ts";
import { dialects } from "../../packages/gateway/src/codecs/registry.ts";
import { loadConfig } from "../../packages/gateway/src/config/load-config.ts";
import { createPriceBook } from "../../packages/gateway/src/config/price-book/create-price-book.ts";
import { type ResolvedConfig, resolveCatalogue } from "../../packages/gateway/src/config/resolve-catalogue.ts";
import type { ChatRequest } from "../../packages/gateway/src/core/chat.ts";
import type { Decision, Features } from "../../packages/gateway/src/core/decision.ts";
import type { Deployment } from "../../packages/gateway/src/core/deployment.ts";
import { GatewayError } from "../../packages/gateway/src/core/errors.ts";
import { toDollars } from "../../packages/gateway/src/core/money.ts";
import { costOf, type Price } from "../../packages/gateway/src/core/price.ts";
import { noUsage } from "../../packages/gateway/src/core/usage.ts";
import { OutputPredictor } from "../../packages/gateway/src/ledger/output-predictor.ts";
import type { PriceBook } from "../../packages/gateway/src/ledger/price-book.ts";
import { SelfHostedMeter } from "../../packages/gateway/src/ledger/self-hosted-meter.ts";
import type { Clock, EpochMs } from "../../packages/gateway/src/lib/clock.ts";
import { extractFeatures } from "../../packages/gateway/src/routing/features/extract-features.ts";
import { LiveState } from "../../packages/gateway/src/routing/live-state.ts";
import { plan } from "../../packages/gateway/src/routing/plan.ts";
import { RoutingState } from "../../packages/gateway/src/routing/routing-state.ts";
import { Seeded } from "../scheduling/seeded.ts";
import { ShareTally, type Tier } from "./share-tally.ts";

/** Prices of this day: later ones do not change the figures. */
const atMs = Date.parse("2026-11-02T10:00:00Z");
const clock: Clock = { now: () => atMs as EpochMs, monotonicMs: () => 0, after: () => () => undefined };

/** What requests are routed with. */
export interface Setting {
  readonly resolved: ResolvedConfig;
  readonly prices: PriceBook;
}

/** The example config, with what `change` makes of it. Keys stand in: nothing is sent to anyone. */
export async function settingOf(
  path: string,
  change: (config: FairleadConfig) => FairleadConfig = (config) => config,
): Promise<Setting> {
  const env = { ANTHROPIC_API_KEY: "none", GEMINI_API_KEY: "none" };
  const { config, source } = loadConfig(path, env);
  const resolved = resolveCatalogue(change(config), { source, env });
  const { pricing, upstreams } = resolved;
  return { resolved, prices: await createPriceBook({ pricing, upstreams, meter: new SelfHostedMeter([]), clock }) };
}

/** A request as the gateway sees it, and how long its answer is when it is served. */
export interface Asked {
  readonly chat: ChatRequest;
  readonly features: Features;
  readonly outputTokens: number;
}

export function askedOf(body: Readonly<Record<string, unknown>>, outputTokens: number): Asked {
  const chat = dialects["openai-chat"].decodeRequest({ ...body });
  return {
    chat,
    features: extractFeatures(chat),
    outputTokens: Math.min(outputTokens, chat.maxTokens ?? outputTokens),
  };
}

/** One strategy on the real `plan`, with targets that are always ready and what it learned of the answers' length. */
export class StrategyRun {
  readonly strategy: string;
  readonly tally = new ShareTally();
  readonly #setting: Setting;
  readonly #live: LiveState;
  readonly #routing: RoutingState;
  readonly #predictor = new OutputPredictor();
  readonly #random: Seeded;
  #ms = 0;
  #count = 0;

  constructor(strategy: string, setting: Setting, seed: number) {
    this.strategy = strategy;
    this.#setting = setting;
    this.#live = new LiveState(setting.resolved.breakerLimits);
    this.#routing = new RoutingState(setting.resolved.catalogue);
    this.#random = new Seeded(seed);
  }

  /** Mean milliseconds of a decision, features left out. */
  get decisionMs(): number {
    return this.#count === 0 ? 0 : this.#ms / this.#count;
  }

  route(asked: Asked): void {
    const before = performance.now();
    const decision = this.#plan(asked);
    this.#ms += performance.now() - before;
    this.#count++;
    if (typeof decision === "string") {
      this.tally.add("refused", decision, undefined, undefined);
      return;
    }
    const target = decision.targets[0]!;
    const { chat, features, outputTokens } = asked;
    this.#predictor.observe(target.id, chat, features, outputTokens);
    const referencePrice = this.#setting.prices.referencePrice(atMs);
    this.tally.add(
      tierOf(target),
      decision.reason,
      costIn(asked, this.#priceOf(target)),
      costIn(asked, referencePrice),
    );
  }

  readonly #priceOf = ({ upstream, model }: Deployment): Price | undefined =>
    this.#setting.prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, atMs);

  #plan({ chat, features }: Asked): Decision | string {
    const { catalogue } = this.#setting.resolved;
    const key = { id: "", name: "", team: "", user: "", tags: [], region: "" };
    try {
      return plan(
        {
          model: chat.model,
          features,
          needs: chat.needs,
          wish: { localOnly: false, strategy: this.strategy },
          key,
          keyIsLocalOnly: false,
          headers: () => ({}),
          stream: chat.stream,
          reasoning: "",
        },
        {
          catalogue,
          live: this.#live,
          nowMs: 0,
          atMs,
          priceOf: this.#priceOf,
          outputTokens: (target) => this.#predictor.predict(target.id, chat, features),
          fraction: this.#random.fraction,
          control: (strategy, complexity) => this.#routing.choose(strategy, complexity, 0),
          spillCap: this.#live.spillCap,
        },
      );
    } catch (thrown) {
      if (thrown instanceof GatewayError) return thrown.code;
      throw thrown;
    }
  }
}

function tierOf({ upstream, tags }: Deployment): Tier {
  if (upstream.placement === "local") return "self-hosted";
  return tags.includes("premium") ? "premium cloud" : "cheap cloud";
}

function costIn({ features, outputTokens }: Asked, price: Price | undefined): number | undefined {
  return price && toDollars(costOf({ ...noUsage, inputTokens: features.inputTokens, outputTokens }, price));
}
