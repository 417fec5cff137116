import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Secret } from "../lib/secret.ts";

/** Derives a 32-byte key for one purpose from the gateway's secret: keys for different purposes tell nothing of each other. */
export function deriveKey(secret: Secret, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret.reveal(), "fairlead", purpose, 32));
}

/** Turns what a client presents into what is stored: useless to who reads the database without the secret. */
export type KeyHash = (presented: string) => string;

/** HMAC-SHA256 in base64url. Every request; synchronous. */
export function keyHash(secret: Secret): KeyHash {
  const key = deriveKey(secret, "virtual keys v1");
  return (presented) => createHmac("sha256", key).update(presented).digest("base64url");
}

/** Compares in a time that does not depend on where two texts differ. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
