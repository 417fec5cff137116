import type { Decision } from "../core/decision.ts";
import { type ErrorCode, GatewayError } from "../core/errors.ts";

/** Errors that tell a client most come first (wire-formats 7.2). */
const usefulness: readonly ErrorCode[] = ["deadline_exceeded", "context_length_exceeded", "rate_limited", "overloaded"];

/** Of the failures of all targets, the one to tell the client. */
export function mostUseful(failures: readonly GatewayError[], { exclusions, asked }: Decision): GatewayError {
  for (const code of usefulness) {
    const found = failures.filter((failure) => failure.code === code);
    const shortest = found.sort((a, b) => (a.detail.retryAfterMs ?? Infinity) - (b.detail.retryAfterMs ?? Infinity))[0];
    if (shortest !== undefined) return shortest;
  }
  // That one target cannot express the request says nothing of the one that could and failed, or was left out.
  const tried = failures.findLast((failure) => failure.code !== "capability_unavailable");
  const waiting = exclusions.filter(({ reason }) => reason !== "capability" && reason !== "context_window");
  if (tried === undefined && waiting.length > 0) {
    const list = waiting.map(({ target, reason }) => `${target}: ${reason}`).join("; ");
    return new GatewayError(
      "no_target_available",
      `The targets for \`${asked}\` that can do this cannot serve now (${list}).`,
    );
  }
  return tried ?? failures.at(-1) ?? new GatewayError("no_target_available", "No target could serve this request.");
}
