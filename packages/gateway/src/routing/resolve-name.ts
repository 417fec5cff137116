import { GatewayError } from "../core/errors.ts";
import type { Catalogue, NamedTarget } from "../core/gateway-model.ts";
import { nearNames } from "../lib/near-names.ts";

/** A longer model name is no name; it would only fill logs. */
const longestName = 256;

/** What the name that a client asked for means. */
export interface Asked {
  readonly name: string;
  /** Undefined where the router decides. */
  readonly named: NamedTarget | undefined;
  /** Nobody serves the name, so the router decides. */
  readonly unknown: boolean;
}

/** @throws GatewayError `invalid_request` or `unknown_model` */
export function resolveName(model: string | undefined, catalogue: Catalogue): Asked {
  const name = model?.trim() ?? "";
  if (name.length > longestName) {
    const what = `\`model\` has ${name.length} characters. Expected at most ${longestName}.`;
    throw new GatewayError("invalid_request", what, { param: "model" });
  }
  if (name === "" || name === "auto") return { name: "auto", named: undefined, unknown: false };
  const named = catalogue.names.get(name);
  if (named !== undefined) return { name, named, unknown: false };
  if (catalogue.unknownModel === "reject") throw unknownModel(name, catalogue, "model");
  return { name, named: undefined, unknown: true };
}

export function unknownModel(name: string, { names }: Catalogue, param: string): GatewayError {
  const near = nearNames(name, names.keys());
  const hint = near.length > 0 ? ` Did you mean ${near.map((known) => `\`${known}\``).join(", ")}?` : "";
  return new GatewayError(
    "unknown_model",
    `The model \`${name.slice(0, 80)}\` is not served here.${hint} GET /v1/models lists what is.`,
    { param },
  );
}
