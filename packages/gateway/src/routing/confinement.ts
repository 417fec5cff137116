import type { Placement } from "@fairlead/contract/names";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Catalogue, NamedTarget } from "../core/gateway-model.ts";
import type { RoutingFacts } from "../core/routing-facts.ts";
import type { Ask } from "./ask.ts";

/** Where a request's data may go. Every list of targets that is made for it is bound by this. */
export interface Confinement {
  readonly placement: Placement | undefined;
  readonly regions: readonly string[] | undefined;
  /** What asked for it: names of rules, `request`, `key`, `route`. */
  readonly by: readonly string[];
}

export const unconfined: Confinement = { placement: undefined, regions: undefined, by: [] };

/**
 * Gathers every residency rule about a request: the client's own, its key's, the route's and the config's.
 * @throws GatewayError `policy_forbids` when they leave no place at all
 */
export function confine(
  { wish, keyIsLocalOnly }: Ask,
  named: NamedTarget | undefined,
  { residency }: Catalogue,
  facts: RoutingFacts,
): Confinement {
  let confinement = unconfined;
  const bind = (by: string, placement: Placement | undefined, regions: readonly string[] | undefined): void => {
    confinement = narrow(confinement, by, placement, regions);
  };
  if (wish.localOnly) bind("request", "local", undefined);
  if (keyIsLocalOnly) bind("key", "local", undefined);
  if (named?.confinedTo !== undefined) bind("route", named.confinedTo, undefined);
  for (const { name, when, placement, regions } of residency) {
    if (when === undefined || when(facts)) bind(name, placement, regions);
  }
  return confinement;
}

function narrow(
  before: Confinement,
  by: string,
  placement: Placement | undefined,
  regions: readonly string[] | undefined,
): Confinement {
  const kept = before.regions?.filter((region) => regions === undefined || regions.includes(region));
  const narrowed: Confinement = {
    placement: before.placement ?? placement,
    regions: kept ?? regions,
    by: [...before.by, by],
  };
  const contradicts = placement !== undefined && before.placement !== undefined && placement !== before.placement;
  if (contradicts || narrowed.regions?.length === 0) {
    const rules = narrowed.by.join(", ");
    throw new GatewayError(
      "policy_forbids",
      `No place is left for this request's data: ${rules} contradict each other.`,
    );
  }
  return narrowed;
}

/** Whether a target lies where the request's data may go. */
export function isWithin(target: Deployment, { placement, regions }: Confinement): boolean {
  const { upstream } = target;
  if (placement !== undefined && upstream.placement !== placement) return false;
  return regions === undefined || (upstream.region !== undefined && regions.includes(upstream.region));
}
