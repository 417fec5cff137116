import type { Deployment } from "../core/deployment.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import { balance as spread } from "./balancers/balance.ts";
import type { BalanceAsk } from "./balancers/balancer.ts";
import { orderTargets } from "./orders/order-targets.ts";
import type { Stage } from "./preference.ts";
import { regionRank } from "./region-rank.ts";
import type { TargetView } from "./target-view.ts";

export interface StageDeps {
  readonly catalogue: Catalogue;
  /** Where the request belongs; undefined for nowhere. */
  readonly region: string | undefined;
  readonly viewOf: (target: Deployment) => TargetView;
  readonly balance: BalanceAsk;
  /** Asked once for each target that is considered. */
  readonly canServe: (target: Deployment) => boolean;
}

export interface OrderedStage {
  /** What the stage wants most, whether it can serve or not. */
  readonly first: Deployment | undefined;
  readonly usable: readonly Deployment[];
  readonly considered: readonly Deployment[];
}

/**
 * Orders some of a stage's targets: near regions first, then the stage's order, then balance among equals that can serve.
 * Targets that nothing is compared with are not looked at.
 */
export function orderStage(stage: Stage, targets: readonly Deployment[], deps: StageDeps): OrderedStage {
  const { canServe } = deps;
  const limit = stage.limit ?? Number.POSITIVE_INFINITY;
  if (targets.length === 1 || isPlainList(stage, targets, deps)) {
    const considered = limit < targets.length ? targets.slice(0, limit) : targets;
    return { first: targets[0], usable: considered.filter(canServe), considered };
  }
  const usable: Deployment[] = [];
  const considered: Deployment[] = [];
  for (const group of groupsOf(stage, targets, deps)) {
    const room = limit - considered.length;
    if (room <= 0) break;
    const able = group.filter((view) => canServe(view.deployment));
    const balanced = able.length > 1 ? spread(stage.balance, able, deps.balance) : able;
    const ranked = [...balanced, ...group.filter((view) => !able.includes(view))].slice(0, room);
    considered.push(...ranked.map(({ deployment }) => deployment));
    usable.push(...balanced.slice(0, room).map(({ deployment }) => deployment));
  }
  return { first: considered[0], usable, considered };
}

/** Whether the list's own order is all there is: no two neighbours are replicas of each other. */
function isPlainList({ order }: Stage, targets: readonly Deployment[], { region }: StageDeps): boolean {
  if (region !== undefined || order.length !== 1 || order[0] !== "listed") return false;
  return targets.every((target, i) => {
    const before = targets[i - 1];
    return before?.model !== target.model || before.upstream.placement !== target.upstream.placement;
  });
}

/** Groups of equals, best first. */
function groupsOf(
  { order, weights }: Stage,
  targets: readonly Deployment[],
  { region, catalogue, viewOf }: StageDeps,
): readonly (readonly TargetView[])[] {
  return byRegion(targets, region, catalogue).flatMap((near) => {
    const views = near.map(viewOf);
    const [by] = order;
    if (by === undefined) return [views];
    if (by === "throughput") return byThroughput(views);
    return orderTargets(views, order as readonly Exclude<(typeof order)[number], "throughput">[], weights);
  });
}

function byRegion(targets: readonly Deployment[], region: string | undefined, catalogue: Catalogue): Deployment[][] {
  if (region === undefined) return [[...targets]];
  const ranks = new Map<number, Deployment[]>();
  for (const target of targets) {
    const rank = regionRank(region, target.upstream.region, catalogue);
    const same = ranks.get(rank);
    if (same === undefined) ranks.set(rank, [target]);
    else same.push(target);
  }
  return [...ranks].sort(([a], [b]) => a - b).map(([, same]) => same);
}

/** Fastest streams first; those nobody measured yet last. */
function byThroughput(views: readonly TargetView[]): TargetView[][] {
  return [...views].sort((a, b) => b.tokensPerSecond - a.tokensPerSecond).map((view) => [view]);
}
