import { GatewayError } from "../core/errors.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { unknownModel } from "./resolve-name.ts";
import { resolveStrategy } from "./resolve-strategy.ts";
import { checkReferences, refersTo } from "./target-reference.ts";

/**
 * Refuses wishes that mean nothing here or contradict each other.
 * @throws GatewayError `invalid_request` or `unknown_model`
 */
export function checkWish(wish: RoutingWish, catalogue: Catalogue): void {
  const { strategy, order, only, ignore, models, allowFallbacks } = wish;
  if (strategy !== undefined) {
    const { rules } = resolveStrategy(strategy, catalogue);
    if (wish.localOnly && rules.every(({ confinedTo }) => confinedTo === "cloud")) {
      throw contradiction(`the strategy \`${strategy}\` uses cloud only`, "the request's data must stay local");
    }
  }
  if (order !== undefined) checkReferences(order, "routing.order", catalogue);
  if (only !== undefined) checkReferences(only, "routing.only", catalogue);
  if (ignore !== undefined) checkReferences(ignore, "routing.ignore", catalogue);
  for (const name of models ?? [])
    if (!catalogue.names.has(name)) throw unknownModel(name, catalogue, "routing.models");
  if (models !== undefined && models.length > 1 && allowFallbacks === false) {
    throw contradiction("`routing.models` names models to fall back to", "`routing.allow_fallbacks` is false");
  }
  const means = (references: readonly string[]) =>
    catalogue.deployments.filter((target) => references.some((reference) => refersTo(reference, target, catalogue)));
  if (only !== undefined && ignore !== undefined) {
    const ignored = new Set(means(ignore));
    if (means(only).every((target) => ignored.has(target))) {
      throw contradiction("`routing.only` names targets", "`routing.ignore` leaves out every one of them");
    }
  }
  if (only !== undefined && order !== undefined) {
    const allowed = new Set(means(only));
    if (means(order).every((target) => !allowed.has(target))) {
      throw contradiction("`routing.order` names targets", "`routing.only` allows none of them");
    }
  }
  if (ignore !== undefined && order !== undefined) {
    const ignored = new Set(means(ignore));
    if (means(order).every((target) => ignored.has(target))) {
      throw contradiction("`routing.order` names targets", "`routing.ignore` leaves out every one of them");
    }
  }
}

function contradiction(one: string, other: string): GatewayError {
  return new GatewayError("invalid_request", `Contradictory preferences: ${one}, and ${other}.`, { param: "routing" });
}
