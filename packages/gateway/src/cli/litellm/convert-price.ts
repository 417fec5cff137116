import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import type { LitellmModel } from "./read-litellm.ts";

type PriceOverrideInput = NonNullable<NonNullable<FairleadConfigInput["pricing"]>["overrides"]>[number];

/** Converts the price of a token, given beside a model, into an override; undefined where none is given. */
export function convertPrice(
  { litellm_params: params, model_info: info }: LitellmModel,
  model: string,
  upstream: string,
): PriceOverrideInput | undefined {
  const rate = (name: keyof typeof params & keyof NonNullable<typeof info>): number | undefined => {
    const perToken = params[name] ?? info?.[name];
    // Twelve digits undo what a product of binary fractions adds.
    return typeof perToken === "number" ? Number((perToken * 1_000_000).toPrecision(12)) : undefined;
  };
  const input = rate("input_cost_per_token");
  const output = rate("output_cost_per_token");
  if (input === undefined && output === undefined) return undefined;
  const cachedRead = rate("cache_read_input_token_cost");
  const cacheWrite = rate("cache_creation_input_token_cost");
  return {
    model,
    upstream,
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
    ...(cachedRead !== undefined && { cachedRead }),
    ...(cacheWrite !== undefined && { cacheWrite }),
  };
}
