import type { ChatRequest } from "../core/chat.ts";
import type { Decision, Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import { noMoney, toDollars } from "../core/money.ts";
import type { Principal } from "../core/principal.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import type { OutputPredictor } from "../ledger/output-predictor.ts";
import type { PriceBook } from "../ledger/price-book.ts";
import type { Randomness } from "../lib/ids.ts";
import { isSecretHeader } from "../lib/secret-header.ts";
import { allowedTargets } from "../policy/model-access.ts";
import type { Ask } from "../routing/ask.ts";
import { extractFeatures } from "../routing/features/extract-features.ts";
import type { LiveState } from "../routing/live-state.ts";
import { plan } from "../routing/plan.ts";
import type { RoutingState } from "../routing/routing-state.ts";

export interface DecideDeps {
  readonly catalogue: Catalogue;
  readonly live: LiveState;
  readonly routing: RoutingState;
  readonly prices: PriceBook;
  readonly predictor: OutputPredictor;
  readonly randomness: Randomness;
}

/** What a decision is about. */
export interface Deciding {
  readonly principal: Principal;
  readonly chat: ChatRequest;
  readonly features: Features;
  readonly wish: RoutingWish;
  readonly headers: Headers;
  /** Whether a target would drop some of the request's parameters. */
  readonly drops: (target: Deployment) => boolean;
}

/** `real` moves shares and holds dollars; the others change nothing. `explain` looks at every figure of every target. */
export type DecideMode = "real" | "again" | "explain";

export function deciding(
  request: { readonly principal: Principal; readonly chat: ChatRequest; readonly wish: RoutingWish },
  headers: Headers,
  drops: (target: Deployment) => boolean,
): Deciding {
  const { principal, chat, wish } = request;
  return { principal, chat, wish, headers, features: extractFeatures(chat), drops };
}

/** The client's wish, and its key's own strategy where it named none. */
export function keysWish(wish: RoutingWish, { strategy }: Principal): RoutingWish {
  return strategy === undefined || wish.strategy !== undefined ? wish : { ...wish, strategy };
}

/**
 * Plans with the key's own names for models, the models it may use and its region.
 * @throws GatewayError as `plan` does
 */
export function decide(request: Deciding, exchange: Exchange, deps: DecideDeps, mode: DecideMode): Decision {
  const { catalogue, live, routing, prices, predictor, randomness } = deps;
  const { principal, chat, features, wish } = request;
  const nowMs = exchange.clock.monotonicMs();
  const decision = plan(askOf(request), {
    catalogue,
    live,
    nowMs,
    atMs: exchange.startedAt,
    priceOf: ({ upstream, model }) =>
      prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, exchange.startedAt),
    outputTokens: (target) => predictor.predict(target.id, chat, features),
    fraction: randomness.fraction,
    rule: ruleOf(principal, wish, request.drops, catalogue),
    control: (strategy, complexity) =>
      mode === "real" ? routing.choose(strategy, complexity, nowMs) : routing.peek(strategy, complexity),
    spillCap: live.spillCap,
    refused(exclusions) {
      if (mode === "real") exchange.refusal = { features, needs: [...chat.needs], wish, exclusions };
    },
    explains: mode === "explain",
  });
  if (mode === "real") follow(decision, exchange, deps, nowMs);
  return decision;
}

/** What the decision spends is counted when its exchange settles. */
function follow(decision: Decision, exchange: Exchange, { live, routing }: DecideDeps, nowMs: number): void {
  const { spillCostUsd, strategy, control } = decision;
  const release = spillCostUsd === undefined ? undefined : live.spillCap.hold(spillCostUsd, nowMs);
  if (release === undefined && control === undefined) return;
  exchange.whenSettled(() => {
    const endMs = exchange.clock.monotonicMs();
    const costUsd = exchange.served?.upstream.placement === "cloud" ? toDollars(exchange.cost ?? noMoney) : 0;
    release?.(costUsd, endMs);
    // A request that was sent to cloud counts as under way until it is told, also one that cost nothing.
    if (strategy !== undefined && (control?.chose === "cloud" || costUsd > 0)) routing.spent(strategy, costUsd, endMs);
  });
}

/** Why a target is out for this key and these wishes; undefined where nothing is. */
export function ruleOf(
  principal: Principal,
  wish: RoutingWish,
  drops: (target: Deployment) => boolean,
  catalogue: Catalogue,
) {
  const allowed = allowedTargets(principal, catalogue);
  const { requireParameters, dataCollection } = wish;
  if (allowed === undefined && requireParameters !== true && dataCollection === undefined) return undefined;
  return (target: Deployment) => {
    if (allowed !== undefined && !allowed.has(target)) return "key_not_allowed" as const;
    const { placement, routesItself } = target.upstream;
    if (dataCollection === "deny" && placement === "cloud" && !routesItself) return "residency" as const;
    return requireParameters === true && drops(target) ? ("client_preference" as const) : undefined;
  };
}

/** What routing sees of a request. */
export function askOf({ principal, chat, features, wish, headers }: Deciding): Ask {
  const { keyId, keyName, team, user, tags, region } = principal;
  // Where `models` stands alone, its first entry is the model.
  const model = chat.model ?? wish.models?.[0];
  return {
    model: principal.aliases.get(model ?? "") ?? model,
    features,
    needs: chat.needs,
    wish,
    key: { id: keyId ?? "", name: keyName ?? "", team: team ?? "", user: user ?? "", tags, region: region ?? "" },
    keyIsLocalOnly: principal.isLocalOnly,
    headers: () => openHeaders(headers),
    stream: chat.stream,
    reasoning: chat.reasoningEffort ?? "",
  };
}

/** Headers that rules may read: nothing that looks like a secret. */
function openHeaders(headers: Headers): Readonly<Record<string, string>> {
  const open: Record<string, string> = {};
  for (const [name, value] of headers) if (!isSecretHeader(name)) open[name] = value;
  return open;
}
