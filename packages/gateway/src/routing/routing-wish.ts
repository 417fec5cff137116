import { builtInStrategies, type StrategyName, strategyAliases } from "@fairlead/contract/routing-names";
import { GatewayError } from "../core/errors.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { nearNames } from "../lib/near-names.ts";

/** Body fields that are the gateway's own and never reach an upstream. */
export const gatewayFields = ["routing", "routing_strategy"] as const;

function strategy(value: unknown, where: string): StrategyName {
  const known = [...builtInStrategies, ...Object.keys(strategyAliases)];
  if (typeof value === "string") {
    const found = builtInStrategies.find((name) => name === value) ?? strategyAliases[value];
    if (found !== undefined) return found;
  }
  const near = typeof value === "string" ? nearNames(value, known) : [];
  const hint = near.length > 0 ? ` Did you mean ${near.map((name) => `\`${name}\``).join(" or ")}?` : "";
  throw new GatewayError(
    "invalid_request",
    `${where} is ${JSON.stringify(value)?.slice(0, 80)}, which is no strategy. Expected one of ${known.join(", ")}.${hint}`,
    { param: where },
  );
}

function bodyStrategy(body: JsonObject): StrategyName | undefined {
  const routing = body["routing"];
  if (routing !== undefined && routing !== null) {
    if (!isObject(routing)) {
      throw new GatewayError("invalid_request", "`routing` must be an object.", { param: "routing" });
    }
    for (const key of Object.keys(routing)) {
      if (key !== "strategy") {
        throw new GatewayError("invalid_request", `\`routing.${key}\` is not known here. Expected \`strategy\`.`, {
          param: `routing.${key}`.slice(0, 80),
        });
      }
    }
    if (routing["strategy"] !== undefined) return strategy(routing["strategy"], "routing.strategy");
  }
  const named = body["routing_strategy"];
  return named === undefined || named === null ? undefined : strategy(named, "routing_strategy");
}

/**
 * Reads the wish from headers and body; the header is the stronger one.
 * @throws GatewayError `invalid_request`: a wish that cannot be kept is refused, never ignored
 */
export function readRoutingWish(headers: Headers, body: JsonObject): RoutingWish {
  const header = headers.get("x-router-strategy");
  const fromBody = bodyStrategy(body);
  const data = headers.get("x-router-data");
  if (data !== null && data.toLowerCase() !== "local-only") {
    throw new GatewayError("invalid_request", "The header X-Router-Data must be `local-only`.", {
      param: "X-Router-Data",
    });
  }
  return {
    strategy: header === null ? fromBody : strategy(header.toLowerCase(), "X-Router-Strategy"),
    localOnly: data !== null,
  };
}
