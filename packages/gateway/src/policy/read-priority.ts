import { type Priority, priorities } from "@fairlead/contract/resilience-schema";
import { GatewayError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";

/**
 * Whether a request goes first when the gateway is full, from the header `X-Router-Priority` and its key. Interactive
 * unless anything says otherwise.
 * @throws GatewayError `invalid_request`, or `key_not_allowed` for a batch key that asks to go first
 */
export function readPriority({ priority }: Principal, header: string | null): Priority {
  if (header === null) return priority ?? "interactive";
  const asked = priorities.find((known) => known === header.trim().toLowerCase());
  if (asked === undefined) {
    const message = `X-Router-Priority is ${JSON.stringify(header.slice(0, 40))}: expected ${priorities.join(" or ")}.`;
    throw new GatewayError("invalid_request", message, { param: "X-Router-Priority" });
  }
  if (asked === "batch" || priority !== "batch") return asked;
  throw new GatewayError("key_not_allowed", "This key is for batch work: it may not ask for `interactive`.");
}
