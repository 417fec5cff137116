import type { JsonObject } from "../../lib/json.ts";

const uuid = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/**
 * Tells whether a thinking block may go to Anthropic again: signatures made by other servers are always refused.
 * @see docs/spec/wire-formats.md 1.3 and 8.2
 */
export function isReplayable(block: JsonObject): boolean {
  if (block["type"] === "redacted_thinking") return typeof block["data"] === "string" && block["data"] !== "";
  const signature = block["signature"];
  if (block["type"] !== "thinking" || typeof signature !== "string" || typeof block["thinking"] !== "string")
    return false;
  return signature !== "" && !signature.startsWith("gw1:") && !uuid.test(signature);
}
