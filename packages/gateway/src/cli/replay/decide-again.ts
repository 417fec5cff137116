import type { ControlChoice, Decision } from "../../core/decision.ts";
import type { Deployment } from "../../core/deployment.ts";
import { GatewayError } from "../../core/errors.ts";
import type { Catalogue } from "../../core/gateway-model.ts";
import { isRoutingTag } from "../../core/routing-tag.ts";
import type { PriceBook } from "../../ledger/price-book.ts";
import type { Ask } from "../../routing/ask.ts";
import { plan } from "../../routing/plan.ts";
import type { RoutingState } from "../../routing/routing-state.ts";
import type { FairChance } from "./fair-chance.ts";
import type { KnownKeys } from "./known-keys.ts";
import type { RecordedRequest } from "./recorded-request.ts";
import { chatLike, isUnready, type RecordedState } from "./recorded-state.ts";

/** What requests are decided with again. */
export interface Deciding {
  readonly catalogue: Catalogue;
  readonly prices: PriceBook;
  readonly state: RecordedState;
  readonly routing: RoutingState;
  readonly keys: KnownKeys;
  readonly chance: FairChance;
  /** Called when a condition reads headers. */
  readonly missesHeaders: () => void;
  /** Whether what failed or was refused by a budget then does so again. */
  readonly usesRecorded: boolean;
}

/** Where a request would go: a target, or an error. */
export interface Outcome {
  readonly target: Deployment | undefined;
  /** Its code. */
  readonly error: string | undefined;
  readonly reason: string;
  readonly decision: Decision | undefined;
}

/** Decides a recorded request by another policy, and follows it past targets that failed then. Moves share controls. */
export function decideAgain(request: RecordedRequest, nowMs: number, deciding: Deciding): Outcome {
  const { usesRecorded } = deciding;
  const unrouted = usesRecorded ? refusedUnrouted(request) : undefined;
  try {
    const decision = planAgain(request, request.wish.strategy, nowMs, deciding);
    if (unrouted !== undefined) return failure(unrouted, decision);
    return usesRecorded ? followed(request, decision, nowMs, deciding) : reached(decision.targets[0], decision);
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    return failure(unrouted ?? thrown.code, undefined);
  }
}

/** The error that came whatever the decision was: a limit of the key, or the gateway's own. */
function refusedUnrouted({ error, attempts, exclusions }: RecordedRequest): string | undefined {
  if (error === undefined || attempts.length > 0 || error === "budget_exhausted") return undefined;
  return exclusions.some(({ reason }) => afterPlan.has(reason)) ? undefined : error;
}

/** Exclusions that were made when the plan was there already. */
const afterPlan: ReadonlySet<string> = new Set(["budget_exhausted", "unpriced", "upstream_limit"]);

const failure = (error: string, decision: Decision | undefined): Outcome => {
  return { target: undefined, error, reason: error, decision };
};

function reached(target: Deployment | undefined, decision: Decision, reason: string = decision.reason): Outcome {
  return target === undefined
    ? failure("no_target_available", decision)
    : { target, error: undefined, reason, decision };
}

function planAgain(
  request: RecordedRequest,
  strategy: string | undefined,
  nowMs: number,
  { catalogue, prices, state, routing, keys, chance, missesHeaders }: Deciding,
): Decision {
  const chat = chatLike(request);
  const refused = keys.refusedTo(request);
  const drops = new Set(
    request.wish.requireParameters === true
      ? request.exclusions.filter(({ reason }) => reason === "client_preference").map(({ target }) => target)
      : [],
  );
  const ask = askOf({ ...request, wish: { ...request.wish, strategy } }, missesHeaders);
  // A share control learns from each request once, however often it is drawn.
  let controlled: { readonly choice: ControlChoice | undefined } | undefined;
  const planWith = (fraction: () => number): Decision =>
    plan(ask, {
      catalogue,
      live: state.live,
      nowMs,
      atMs: request.atMs,
      priceOf: ({ upstream, model }) =>
        prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, request.atMs),
      outputTokens: (target) => state.predictor.predict(target.id, chat, request.features),
      fraction,
      rule: ({ id }) => (refused.has(id) ? "key_not_allowed" : drops.has(id) ? "client_preference" : undefined),
      control(by, complexity) {
        controlled ??= { choice: routing.choose(by, complexity, nowMs) };
        return controlled.choice;
      },
      spillCap: state.live.spillCap,
    });
  let isDrawn = false;
  const decision = planWith(() => {
    isDrawn = true;
    return 0.5;
  });
  return isDrawn ? drawn(planWith, request, chance) : decision;
}

const someDraws = 16;

/** One of the decisions that chance may have made. The draws are the same in every replay. */
function drawn(planWith: (fraction: () => number) => Decision, request: RecordedRequest, chance: FairChance): Decision {
  const draws = new Map<string, number>();
  const decisions = new Map<string, Decision>();
  for (let draw = 0; draw < someDraws; draw++) {
    let turn = 0;
    // Steps of the golden ratio: even over all draws, and over the turns of one.
    const decision = planWith(() => {
      turn++;
      return ((draw + turn * someDraws) * 0.618_033_988_749_895) % 1;
    });
    const first = decision.targets[0]?.id ?? "";
    draws.set(first, (draws.get(first) ?? 0) + 1);
    if (!decisions.has(first)) decisions.set(first, decision);
  }
  const chosen = decisions.get(chance.choose(draws, request.order[0]));
  return chosen ?? planWith(() => 0.5);
}

function askOf(request: RecordedRequest, missesHeaders: () => void): Ask {
  const { asked, features, needs, wish, key, stream, reasoning } = request;
  const { localOnly, ...facts } = key;
  return {
    model: asked,
    features,
    needs: new Set(needs),
    wish,
    key: { ...facts, tags: facts.tags.filter((tag) => !isRoutingTag(tag)) },
    keyIsLocalOnly: localOnly,
    headers() {
      missesHeaders();
      return {};
    },
    stream,
    reasoning,
  };
}

/** Goes on where a budget refused or a target failed then, and ends where the request ended if it begins as it began. */
function followed(request: RecordedRequest, decision: Decision, nowMs: number, deciding: Deciding): Outcome {
  const { attempts, exclusions, error, served } = request;
  const planned = new Set(request.order);
  const late = exclusions.filter(
    ({ target, reason }) => afterPlan.has(reason) && planned.has(target) && !isUnready(reason),
  );
  const refused = new Map(late.map(({ target, reason }) => [target, reason]));
  const order = decision.targets.filter(({ id }) => !refused.has(id));
  const [head] = order;
  const dropped = decision.targets[0] === head ? undefined : refused.get(decision.targets[0]?.id ?? "");
  if (head === undefined)
    return keptHome(request, refused, nowMs, deciding) ?? failure(error ?? "budget_exhausted", decision);
  const failed = new Map(
    attempts.flatMap((one) => (one.error === undefined ? [] : [[one.target, one.error] as const])),
  );
  if (error === undefined && served !== undefined) failed.delete(served.target);
  if (!failed.has(head.id)) return reached(head, decision, dropped ?? decision.reason);
  if (head.id === attempts[0]?.target) {
    if (error !== undefined) return failure(error, decision);
    const same = order.find(({ id }) => id === served?.target);
    if (same !== undefined) return reached(same, decision);
  }
  const next = order.find(({ id }) => !failed.has(id));
  return next === undefined ? failure(failed.get(head.id) ?? "no_target_available", decision) : reached(next, decision);
}

/** What a budget keeps from cloud goes to self-hosted models, where it may. */
function keptHome(
  request: RecordedRequest,
  refused: ReadonlyMap<string, string>,
  nowMs: number,
  deciding: Deciding,
): Outcome | undefined {
  if (![...refused.values()].some((reason) => reason !== "upstream_limit")) return undefined;
  try {
    const decision = planAgain(request, "self_hosted_only", nowMs, deciding);
    const target = decision.targets.find(({ id }) => !refused.has(id));
    return target && reached(target, decision, "budget_exhausted");
  } catch (thrown) {
    if (thrown instanceof GatewayError) return undefined;
    throw thrown;
  }
}
