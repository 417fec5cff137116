import { type StrategyName, strategyAliases } from "@fairlead/contract/routing-names";

/** The name under which a strategy is kept: `latency` is `fast`. Names that are no alias stay. */
export function canonicalStrategy(name: StrategyName): StrategyName {
  return Object.hasOwn(strategyAliases, name) ? (strategyAliases[name] ?? name) : name;
}
