import type { ClientAuth } from "../config/resolve-catalogue.ts";
import { keyHash } from "../keys/key-hash.ts";
import { KeyRing } from "../keys/key-ring.ts";
import type { Clock } from "../lib/clock.ts";
import type { Secret } from "../lib/secret.ts";
import { JwtVerifier } from "../stores/jwt/jwt-verifier.ts";

/** Makes the ring of all keys clients may present, with the stored ones still to be loaded. */
export function makeKeyRing({ key, required, anonymous, jwt }: ClientAuth, secret: Secret, clock: Clock): KeyRing {
  const issuers = jwt.map(({ jwksUrl, tagsClaim, ...rest }) => ({ ...rest, jwksUrl, tagsClaim }));
  return new KeyRing({
    hash: keyHash(secret),
    clock,
    sharedKey: key,
    required,
    anonymous,
    tokens: issuers.length === 0 ? undefined : new JwtVerifier(issuers, clock),
  });
}
