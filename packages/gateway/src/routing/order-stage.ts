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

/** Orders a stage's targets: near regions first, then the stage's order, then balance among equals that can serve. */
export function orderStage(stage: Stage, deps: StageDeps): OrderedStage {
  const { viewOf, canServe, balance } = deps;
  if (stage.targets.length === 1) {
    const target = stage.targets[0]!;
    return { first: target, usable: canServe(target) ? [target] : [], considered: stage.targets };
  }
  let first: Deployment | undefined;
  const usable: Deployment[] = [];
  const considered: Deployment[] = [];
  const limit = stage.limit ?? Number.POSITIVE_INFINITY;
  for (const group of groups(stage, deps)) {
    const room = limit - considered.length;
    if (room <= 0) break;
    const able = group.filter((view) => canServe(view.deployment));
    const balanced = spread(stage.balance, able, balance);
    const ranked = [...balanced, ...group.filter((view) => !able.includes(view))].slice(0, room);
    first ??= ranked[0]?.deployment;
    considered.push(...ranked.map(({ deployment }) => deployment));
    usable.push(...balanced.slice(0, room).map(({ deployment }) => deployment));
  }
  return { first, usable, considered };

  /** Groups of equals, best first. */
  function groups(
    { targets, order, weights }: Stage,
    { region, catalogue }: StageDeps,
  ): readonly (readonly TargetView[])[] {
    return byRegion(targets, region, catalogue).flatMap((near) => {
      const views = near.map(viewOf);
      const [by] = order;
      if (by === undefined) return [views];
      if (by === "throughput") return byThroughput(views);
      return orderTargets(views, order as readonly Exclude<(typeof order)[number], "throughput">[], weights);
    });
  }
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
