import type { TargetView } from "../target-view.ts";
import type { Balancer } from "./balancer.ts";
import { rendezvous } from "./rendezvous.ts";

/** No target gets more than this times its fair share of running requests. */
const mostOfMean = 1.25;

/**
 * The same target for the same conversation, else for the same system prompt and tools, while it has less than 1.25 times its
 * share of what runs; the next one of the key's own order takes what is above. Overloaded ones come last.
 */
export const prefixHash: Balancer = (group, ask) => {
  const ranked = rendezvous(group, ask.conversationHash || ask.prefixHash);
  const inFlight = group.reduce((sum, view) => sum + view.inFlight, 0);
  const weight = group.reduce((sum, view) => sum + view.deployment.weight, 0);
  const hasRoom = (view: TargetView): boolean =>
    view.inFlight < Math.ceil((mostOfMean * (inFlight + 1) * view.deployment.weight) / weight);
  return [...ranked.filter(hasRoom), ...ranked.filter((view) => !hasRoom(view))];
};
