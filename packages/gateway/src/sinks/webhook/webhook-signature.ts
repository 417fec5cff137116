import { createHmac } from "node:crypto";
import type { Secret } from "../../lib/secret.ts";

/**
 * Signs one delivery: `v1=` and the hex HMAC-SHA256 over `<timestamp>.<body>`. The time is a part of it, so that a
 * receiver can refuse what is old.
 */
export function webhookSignature(secret: Secret, timestamp: number, body: string): string {
  return `v1=${createHmac("sha256", secret.reveal()).update(`${timestamp}.${body}`).digest("hex")}`;
}
