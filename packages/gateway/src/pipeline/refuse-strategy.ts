import { type StrategyName, strategyAliases } from "@fairlead/contract/routing-names";
import type { Decision } from "../core/decision.ts";
import { GatewayError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";

const canonical = (name: StrategyName): StrategyName =>
  Object.hasOwn(strategyAliases, name) ? (strategyAliases[name] ?? name) : name;

/**
 * Refuses a strategy that the key may not use, by whichever of its names. What an experiment tries is the operator's.
 * @throws GatewayError `key_not_allowed`
 */
export function refuseStrategy(
  { allowedStrategies }: Principal,
  wished: StrategyName | undefined,
  decision: Decision,
): void {
  const strategy = wished ?? (decision.experiment === undefined ? decision.strategy : undefined);
  if (allowedStrategies === undefined || strategy === undefined) return;
  for (const allowed of allowedStrategies) if (canonical(allowed) === canonical(strategy)) return;
  throw new GatewayError("key_not_allowed", `This key may not use the strategy \`${strategy}\`.`);
}
