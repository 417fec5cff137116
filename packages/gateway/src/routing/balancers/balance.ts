import type { BalancerName } from "@fairlead/contract/routing-names";
import { hashText } from "../../lib/hash-text.ts";
import type { TargetView } from "../target-view.ts";
import { type BalanceAsk, type Balancer, shuffled } from "./balancer.ts";
import { peakEwma } from "./peak-ewma.ts";
import { prefixHash } from "./prefix-hash.ts";
import { rendezvous } from "./rendezvous.ts";

/** At random by `weight`, without repeats: each next place is drawn among those that are left. */
const weighted: Balancer = (group, ask) =>
  group
    .map((view) => ({ view, key: -Math.log(1 - ask.fraction()) / view.deployment.weight }))
    .sort((a, b) => a.key - b.key)
    .map(({ view }) => view);

const leastInFlight: Balancer = (group, ask) => shuffled(group, ask).sort((a, b) => a.inFlight - b.inFlight);

/** Every balancer by name. A missing or surplus entry does not compile. */
export const balancers = {
  priority: (group) => group,
  weighted,
  least_in_flight: leastInFlight,
  peak_ewma: peakEwma,
  prefix_hash: prefixHash,
} as const satisfies Record<BalancerName, Balancer>;

/** The same target for the same session, whatever its load; only one that cannot be asked now comes last. */
function sticky(group: readonly TargetView[], session: string): readonly TargetView[] {
  const ranked = rendezvous(group, hashText(session));
  return [...ranked.filter((view) => view.ready), ...ranked.filter((view) => !view.ready)];
}

/** Spreads a group of equals: a session stays with its target, everything else goes by the balancer. */
export function balance(name: BalancerName, group: readonly TargetView[], ask: BalanceAsk): readonly TargetView[] {
  if (group.length < 2) return group;
  return ask.session === undefined ? balancers[name](group, ask) : sticky(group, ask.session);
}
