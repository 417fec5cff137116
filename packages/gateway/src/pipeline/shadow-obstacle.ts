import type { Decision } from "../core/decision.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Shadow } from "../core/gateway-model.ts";
import type { RoutingFacts } from "../core/routing-facts.ts";
import { confine, isWithin } from "../routing/confinement.ts";
import { exclusionReason } from "../routing/exclusion-reason.ts";
import { Facts, onPlacement } from "../routing/facts.ts";
import { PlacementView } from "../routing/placement-view.ts";
import { resolveName } from "../routing/resolve-name.ts";
import { refersTo } from "../routing/target-reference.ts";
import { TargetView } from "../routing/target-view.ts";
import { askOf, type DecideDeps, type Deciding, ruleOf } from "./decide.ts";
import type { ShadowSkip } from "./shadow-tally.ts";

/** The facts of a request as conditions of shadows see them. */
export function shadowFacts(question: Deciding, exchange: Exchange, deps: DecideDeps): RoutingFacts {
  const { catalogue, live, prices, predictor } = deps;
  const { chat, features } = question;
  const atMs = exchange.startedAt;
  const context = {
    features,
    live,
    nowMs: exchange.clock.monotonicMs(),
    priceOf: ({ upstream, model }: Shadow["target"]) =>
      prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, atMs),
    predictOutput: (target: Shadow["target"]) => predictor.predict(target.id, chat, features),
  };
  const ask = askOf(question);
  return new Facts(
    ask,
    resolveName(ask.model, catalogue).name,
    atMs,
    (placement) =>
      new PlacementView(onPlacement(catalogue.deployments, placement).map((target) => new TargetView(target, context))),
  );
}

/**
 * Why a shadow's target may not see this request, whatever its state: its data's residency first, then what the client and
 * its key allow. The same rules bind it as the request itself; undefined when nothing is in the way.
 * @throws GatewayError where the rules contradict each other
 */
export function forbidsCopy(
  { target }: Shadow,
  question: Deciding,
  decision: Decision,
  facts: RoutingFacts,
  { catalogue }: DecideDeps,
): ShadowSkip | undefined {
  const ask = askOf(question);
  const { placement } = target.upstream;
  if (decision.confinedTo !== undefined && decision.confinedTo !== placement) return "residency";
  const { named } = resolveName(ask.model, catalogue);
  if (!isWithin(target, confine(ask, named, catalogue, facts))) return "residency";
  const { only, ignore, allowFallbacks } = ask.wish;
  const refers = (reference: string): boolean => refersTo(reference, target, catalogue);
  // Who allows no other target to answer does not expect another to read along either.
  if (allowFallbacks === false && !decision.targets.includes(target)) return "client_preference";
  if ((only !== undefined && !only.some(refers)) || ignore?.some(refers) === true) return "client_preference";
  const ruled = ruleOf(question.principal, ask.wish, question.drops, catalogue)?.(target);
  return ruled === "key_not_allowed" || ruled === undefined ? ruled : "client_preference";
}

/** Why a shadow's target cannot take the copy now; undefined when it can. */
export function cannotTake(
  { target }: Shadow,
  { chat, features }: Deciding,
  { live }: DecideDeps,
  nowMs: number,
): ShadowSkip | undefined {
  const reason = exclusionReason(target, chat.needs, features, live, nowMs);
  if (reason === undefined) return undefined;
  return reason === "capability" || reason === "context_window" ? "cannot_serve" : "not_ready";
}
