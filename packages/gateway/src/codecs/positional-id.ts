import { createHash } from "node:crypto";

/**
 * Makes an id for a call that came without one, from where it stands, so that the same history always gets the same id.
 * @see docs/spec/wire-formats.md 0.3
 */
export function positionalCallId(messageIndex: number, callIndex: number, name: string): string {
  return `call_${createHash("sha256").update(`${messageIndex}:${callIndex}:${name}`).digest("hex").slice(0, 24)}`;
}
