import { type StrategyName, strategyAliases } from "@fairlead/contract/routing-names";
import { GatewayError } from "../core/errors.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { Strategy } from "../core/strategy.ts";
import { nearNames } from "../lib/near-names.ts";

/**
 * Finds a strategy by its name or an alias of it.
 * @throws GatewayError `invalid_request` with the names there are
 */
export function resolveStrategy(name: StrategyName, { strategies }: Catalogue): Strategy {
  const alias = Object.hasOwn(strategyAliases, name) ? strategyAliases[name] : undefined;
  const found = strategies.get(name) ?? (alias === undefined ? undefined : strategies.get(alias));
  if (found !== undefined) return found;
  const known = [...strategies.keys(), ...Object.keys(strategyAliases)];
  const near = nearNames(name, known);
  const hint = near.length > 0 ? ` Did you mean ${near.map((other) => `\`${other}\``).join(" or ")}?` : "";
  throw new GatewayError(
    "invalid_request",
    `\`${name.slice(0, 80)}\` is no strategy. Expected one of ${known.join(", ")}.${hint}`,
    { param: "routing.strategy" },
  );
}
