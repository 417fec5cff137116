import { createHash, timingSafeEqual } from "node:crypto";
import { anonymous, type Principal } from "../core/principal.ts";
import type { Secret } from "../lib/secret.ts";
import type { KeyStore } from "./key-store.ts";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Accepts the one key of `auth.key`. */
export function sharedKeyStore(key: Secret): KeyStore {
  const expected = digest(key.reveal());
  const principal: Principal = { ...anonymous, kind: "shared-key", keyId: "shared", keyName: "shared" };
  return {
    open: false,
    loaded: true,
    anonymous: false,
    find: (presented) => (timingSafeEqual(digest(presented), expected) ? principal : undefined),
  };
}

/** Accepts everyone; for loopback and `auth.anonymous`. */
export const openKeyStore: KeyStore = { open: true, loaded: true, anonymous: true, find: () => anonymous };
