import type { Placement, RoutingReason } from "@fairlead/contract/names";
import type { StrategyName } from "@fairlead/contract/routing-names";
import type { ChatRequest } from "../core/chat.ts";
import type { Decision, Exclusion, Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Catalogue, NamedTarget } from "../core/gateway-model.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { nearNames } from "../lib/near-names.ts";
import { extractFeatures } from "./features/extract-features.ts";
import { filterTargets, type TargetRule } from "./filter-targets.ts";
import type { LiveState } from "./live-state.ts";
import type { Preference } from "./preference.ts";
import { plainCloud, preferAuto } from "./strategies/auto.ts";

/** A longer model name is no name; it would only fill logs. */
const longestName = 256;

interface Asked {
  readonly name: string;
  readonly named: NamedTarget | undefined;
  readonly unknown: boolean;
}

function resolveName(request: ChatRequest, catalogue: Catalogue): Asked {
  const name = request.model?.trim() ?? "";
  if (name.length > longestName) {
    throw new GatewayError(
      "invalid_request",
      `\`model\` has ${name.length} characters. Expected at most ${longestName}.`,
      {
        param: "model",
      },
    );
  }
  if (name === "" || name === "auto") return { name: "auto", named: undefined, unknown: false };
  const named = catalogue.names.get(name);
  if (named !== undefined) return { name, named, unknown: false };
  if (catalogue.unknownModel === "reject") throw unknownModel(name, catalogue);
  return { name, named: undefined, unknown: true };
}

function unknownModel(name: string, catalogue: Catalogue): GatewayError {
  const near = nearNames(name, catalogue.names.keys());
  const hint = near.length > 0 ? ` Did you mean ${near.map((known) => `\`${known}\``).join(", ")}?` : "";
  return new GatewayError(
    "unknown_model",
    `The model \`${name.slice(0, 80)}\` is not served here.${hint} GET /v1/models lists what is.`,
    { param: "model" },
  );
}

const onPlacement = (targets: readonly Deployment[], placement: Placement): Deployment[] =>
  targets.filter((target) => target.upstream.placement === placement);

/** An explicit model goes to its own targets; a local one may fall to cloud, a cloud one only to other clouds. */
function preferNamed(named: NamedTarget, catalogue: Catalogue): Preference {
  const chain = named.fallback ?? catalogue.fallback;
  const onlyCloud = named.targets.every((target) => target.upstream.placement === "cloud");
  return {
    reason: named.reason,
    targets: named.targets,
    fallback: onlyCloud && named.fallback === undefined ? onPlacement(chain, "cloud") : chain,
    // A name with a chain of its own goes nowhere else.
    standIn: named.fallback === undefined ? plainCloud(catalogue) : [],
    confinedTo: undefined,
  };
}

function preferStrategy(strategy: StrategyName, catalogue: Catalogue, features: Features): Preference {
  const local = onPlacement(catalogue.deployments, "local");
  const cloud = onPlacement([...plainCloud(catalogue), ...catalogue.fallback, ...catalogue.autoCloud], "cloud");
  switch (strategy) {
    default:
      return preferAuto(catalogue, features);
    case "local_first":
      return {
        reason: "strategy",
        targets: local,
        fallback: cloud,
        standIn: plainCloud(catalogue),
        confinedTo: undefined,
      };
    case "cloud_first":
      return { reason: "strategy", targets: cloud, fallback: local, standIn: [], confinedTo: undefined };
    case "self_hosted_only":
      return { reason: "strategy", targets: local, fallback: [], standIn: [], confinedTo: "local" };
    case "cloud_only":
      return { reason: "strategy", targets: cloud, fallback: [], standIn: [], confinedTo: "cloud" };
  }
}

function prefer(asked: Asked, wish: RoutingWish, catalogue: Catalogue, features: Features): Preference {
  if (asked.named === undefined) {
    const preference = preferStrategy(wish.strategy ?? "auto", catalogue, features);
    return asked.unknown ? { ...preference, reason: "unknown_model" } : preference;
  }
  const preference = preferNamed(asked.named, catalogue);
  if (wish.strategy !== "self_hosted_only") return preference;
  // An explicit model beats a strategy, but never the promise to stay on the premises (requirement B2).
  if (onPlacement(preference.targets, "local").length === 0) {
    throw new GatewayError(
      "invalid_request",
      `The model \`${asked.name}\` is served by cloud only, and the strategy \`self_hosted_only\` forbids cloud.`,
      { param: "model" },
    );
  }
  return { ...preference, confinedTo: "local" };
}

/** The reason a decision carries: the preference's own, unless its first choice could not serve. */
function finalReason(
  preference: Preference,
  first: Deployment | undefined,
  exclusions: readonly Exclusion[],
): RoutingReason {
  if (first === undefined) return preference.reason;
  return exclusions.find((exclusion) => exclusion.target === first.id)?.reason ?? preference.reason;
}

const everyTarget: TargetRule = () => undefined;

const notReady: ReadonlySet<RoutingReason> = new Set([
  "local_cold",
  "local_down",
  "local_full",
  "cloud_down",
  "breaker_open",
  "rate_limited",
  "key_refused",
  "quota_exhausted",
  "model_missing",
]);

/**
 * Decides where a request may go and in which order. Pure and synchronous but for reading live state; every request.
 * @throws GatewayError `unknown_model`, `invalid_request`, `capability_unavailable`, `context_length_exceeded` or
 * `no_target_available`, naming what excluded each target
 */
export function plan(
  request: ChatRequest,
  wish: RoutingWish,
  catalogue: Catalogue,
  live: LiveState,
  nowMs: number,
  rule: TargetRule = everyTarget,
): Decision {
  const features = extractFeatures(request);
  const asked = resolveName(request, catalogue);
  const preference = prefer(asked, wish, catalogue, features);
  const confinedTo = wish.localOnly ? "local" : preference.confinedTo;
  const allowed = (targets: readonly Deployment[]): readonly Deployment[] =>
    confinedTo === undefined ? targets : onPlacement(targets, confinedTo);

  const wanted = allowed(preference.targets);
  // A model asked for by name is not quietly replaced by another that the key may use.
  if (asked.named !== undefined && wanted.length > 0 && wanted.every((target) => rule(target) === "key_not_allowed")) {
    throw notAllowed(asked.name);
  }
  const filtered = filterTargets(wanted, request, features, live, nowMs, rule);
  const localUnready = filtered.exclusions.some((exclusion) => notReady.has(exclusion.reason));
  // A local model that is known not to be ready is replaced by the plain cloud model, not by the cheapest one.
  const chain = allowed(localUnready ? [...preference.standIn, ...preference.fallback] : preference.fallback);
  const behind = filterTargets(
    [...new Set(chain)].filter((target) => !wanted.includes(target)),
    request,
    features,
    live,
    nowMs,
    rule,
  );
  const targets = [...filtered.usable, ...behind.usable];
  const exclusions = [...filtered.exclusions, ...behind.exclusions];
  const usable = targets.length > 0 ? targets : lastResort(wanted, chain, exclusions);
  if (usable.length === 0) throw nothingLeft(asked.name, exclusions, confinedTo, request, features);
  const first = wanted[0];
  return {
    asked: asked.name,
    strategy: asked.named === undefined ? (wish.strategy ?? "auto") : undefined,
    reason: finalReason(preference, first, exclusions),
    firstChoice: first ?? usable[0],
    targets: usable,
    exclusions,
    nearNames: asked.unknown ? nearNames(asked.name, catalogue.names.keys()) : [],
    features,
    confinedTo,
    rule: undefined,
    candidates: [],
    needs: [...request.needs],
    wish,
    experiment: undefined,
    control: undefined,
  };
}

/** When nothing is left, targets that only looked unwell are tried all the same: a wrong guess must not refuse work. */
function lastResort(
  wanted: readonly Deployment[],
  chain: readonly Deployment[],
  exclusions: readonly Exclusion[],
): Deployment[] {
  const unwell = new Set(exclusions.filter((exclusion) => notReady.has(exclusion.reason)).map(({ target }) => target));
  return [...new Set([...wanted, ...chain])].filter((target) => unwell.has(target.id));
}

function notAllowed(asked: string): GatewayError {
  return new GatewayError("key_not_allowed", `This key may not use \`${asked}\`.`, { param: "model" });
}

function nothingLeft(
  asked: string,
  exclusions: readonly Exclusion[],
  confinedTo: Placement | undefined,
  request: ChatRequest,
  features: Features,
): GatewayError {
  const list = exclusions.map(({ target, reason }) => `${target}: ${reason}`).join("; ");
  const where = confinedTo === undefined ? "" : ` on ${confinedTo} upstreams, where it must stay`;
  const only = (reason: RoutingReason): boolean =>
    exclusions.length > 0 && exclusions.every((exclusion) => exclusion.reason === reason);
  if (only("key_not_allowed")) return notAllowed(asked);
  if (only("context_window")) {
    return new GatewayError(
      "context_length_exceeded",
      `The prompt is too large: about ${features.windowTokens} tokens, and no target for \`${asked}\`${where} has the room (${list}).`,
      { param: "messages", tokens: features.windowTokens },
    );
  }
  if (only("capability")) {
    const needs = [...request.needs].join(", ");
    return new GatewayError("capability_unavailable", `No target for \`${asked}\`${where} can do ${needs} (${list}).`, {
      capability: [...request.needs][0] ?? "",
    });
  }
  if (exclusions.length === 0 && confinedTo !== undefined) {
    return new GatewayError("policy_forbids", `\`${asked}\` has no target${where}.`, { param: "model" });
  }
  const reasons = list === "" ? "none is configured" : list;
  return new GatewayError("no_target_available", `No target for \`${asked}\` can serve now${where}: ${reasons}.`);
}
