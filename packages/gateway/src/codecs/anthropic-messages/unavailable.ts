import { GatewayError } from "../../core/errors.ts";

/** Refuses a request that nothing this format can say would fulfil. */
export function unavailable(param: string, reason: string): never {
  throw new GatewayError("capability_unavailable", `'${param}' cannot be served by this target: ${reason}.`, { param });
}
