import type { TargetView } from "../target-view.ts";
import type { Order } from "./order.ts";

/** As the config lists them; replicas of one model on one placement that follow each other are equals. */
export const listed: Order = (views) => {
  const groups: TargetView[][] = [];
  for (const view of views) {
    const group = groups.at(-1);
    const before = group?.at(-1);
    const isReplica = before?.model === view.model && before.placement === view.placement;
    if (isReplica) group?.push(view);
    else groups.push([view]);
  }
  return groups;
};
