import type { Capability, Placement, RoutingReason } from "@fairlead/contract/names";
import type { Exclusion, Features } from "../core/decision.ts";
import { GatewayError } from "../core/errors.ts";

export function notAllowed(asked: string): GatewayError {
  return new GatewayError("key_not_allowed", `This key may not use \`${asked}\`.`, { param: "model" });
}

/** What a request was left with. */
interface Leftover {
  readonly asked: string;
  readonly exclusions: readonly Exclusion[];
  readonly confinedTo: Placement | undefined;
  /** What binds its data; empty for nothing. */
  readonly boundBy: readonly string[];
  readonly needs: ReadonlySet<Capability>;
  readonly features: Features;
}

/** The error for a request without any target, naming what excluded each. */
export function noTarget({ asked, exclusions, confinedTo, boundBy, needs, features }: Leftover): GatewayError {
  const list = exclusions.map(({ target, reason }) => `${target}: ${reason}`).join("; ");
  const where = confinedTo === undefined ? "" : ` on ${confinedTo} upstreams, where it must stay`;
  // What may not be asked at all says nothing of those that may.
  const free = exclusions.filter(({ reason }) => reason !== "residency");
  const only = (reason: RoutingReason): boolean =>
    free.length > 0 && free.every((exclusion) => exclusion.reason === reason);
  if (free.length === 0 && (exclusions.length > 0 || confinedTo !== undefined)) {
    const bound = boundBy.length === 0 ? "" : ` (${boundBy.join(", ")})`;
    const reasons = list === "" ? "" : `: ${list}`;
    return new GatewayError("policy_forbids", `\`${asked}\` has no target${where}${bound}${reasons}.`, {
      param: "model",
    });
  }
  if (only("key_not_allowed")) {
    if (free.length === exclusions.length) return notAllowed(asked);
    const bound = boundBy.length === 0 ? "" : ` (${boundBy.join(", ")})`;
    const text = `This key may not use any target for \`${asked}\`${where}${bound}: ${list}.`;
    return new GatewayError("key_not_allowed", text, { param: "model" });
  }
  if (only("context_window")) {
    return new GatewayError(
      "context_length_exceeded",
      `The prompt is too large: about ${features.windowTokens} tokens, and no target for \`${asked}\`${where} has the room (${list}).`,
      { param: "messages", tokens: features.windowTokens },
    );
  }
  if (only("capability")) {
    const text = `No target for \`${asked}\`${where} can do ${[...needs].join(", ")} (${list}).`;
    return new GatewayError("capability_unavailable", text, { capability: [...needs][0] ?? "" });
  }
  if (free.length > 0 && free.every(({ reason }) => reason === "client_preference" || reason === "price_cap")) {
    const text = `Your \`routing\` preferences leave no target for \`${asked}\`${where} (${list}).`;
    return new GatewayError("invalid_request", text, { param: "routing" });
  }
  const reasons = list === "" ? "none is configured" : list;
  return new GatewayError("no_target_available", `No target for \`${asked}\` can serve now${where}: ${reasons}.`);
}
