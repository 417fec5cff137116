import type { Deployment } from "../core/deployment.ts";
import type { SpillCap } from "./spill-cap.ts";
import type { TargetView } from "./target-view.ts";

export interface SpillOver {
  readonly targets: readonly Deployment[];
  /** What the cap must hold for it; undefined where another local target takes it. */
  readonly costUsd: number | undefined;
}

/**
 * Puts the best target that answers in time first when the local one in front would not: another local one, else the first
 * cloud one that is not slower and that the cap has dollars for (requirement C6). Undefined when the order stands: the
 * prediction holds, nobody knows, nothing is better, or the cap is used up.
 */
export function spillOver(
  targets: readonly Deployment[],
  limitMs: number,
  viewOf: (target: Deployment) => TargetView,
  cap: SpillCap | undefined,
  nowMs: number,
): SpillOver | undefined {
  const [front] = targets;
  if (front === undefined || front.upstream.placement !== "local") return undefined;
  const lateMs = viewOf(front).ttftMs;
  if (lateMs <= limitMs) return undefined;
  const better = targets.slice(1).find((target) => {
    const { ttftMs } = viewOf(target);
    // A local one that nobody has measured may well be as late; the cloud has room.
    if (target.upstream.placement === "local") return ttftMs > 0 && ttftMs <= limitMs;
    return ttftMs < lateMs && (cap === undefined || cap.admits(spillCost(viewOf(target)), nowMs));
  });
  if (better === undefined) return undefined;
  const isCloud = better.upstream.placement === "cloud";
  return {
    targets: [better, ...targets.filter((target) => target !== better)],
    costUsd: isCloud ? spillCost(viewOf(better)) : undefined,
  };
}

/** An unpriced target cannot be held to a cap: it counts as nothing where none is set, and as too much where one is. */
function spillCost({ priced, costUsd }: TargetView): number {
  return priced ? costUsd : Number.POSITIVE_INFINITY;
}
