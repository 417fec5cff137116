import { GatewayError } from "../../core/errors.ts";

/** The error of a wake-up, or of calling it off, that failed: for the operator. `what` must hold no secret. */
export function hookFault(target: string, what: string, cause?: unknown): GatewayError {
  return new GatewayError("upstream_error", `The wake hook of \`${target}\` failed: ${what}.`, { target, cause });
}
