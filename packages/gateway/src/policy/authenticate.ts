import { GatewayError } from "../core/errors.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import type { KeyStore } from "../keys/key-store.ts";

/** The key a client presented, from `Authorization: Bearer` or `x-api-key`; undefined for none. */
export function presentedKey(headers: Headers): string | undefined {
  const authorization = headers.get("authorization");
  // Every request: slicing costs a tenth of what a pattern does.
  if (authorization !== null && authorization.slice(0, 7).toLowerCase() === "bearer ") {
    const key = authorization.slice(7).trim();
    if (key !== "") return key;
  }
  return headers.get("x-api-key") ?? undefined;
}

/**
 * Returns who asks; a promise only for a signed token that is seen for the first time.
 * @throws GatewayError `unauthorized`
 */
export function authenticate(headers: Headers, keys: KeyStore): Principal | Promise<Principal> {
  if (keys.open) return anonymous;
  const key = presentedKey(headers);
  if (key === undefined) {
    if (keys.anonymous) return anonymous;
    if (!keys.decided) {
      const message = "Whether a key is needed is not known yet: the database does not answer.";
      throw new GatewayError("store_unavailable", message, { retryAfterMs: 5_000 });
    }
    throw new GatewayError(
      "unauthorized",
      "No API key was sent. Send the gateway's key as `Authorization: Bearer <key>` or in the header `x-api-key`.",
    );
  }
  const found = keys.find(key);
  return found instanceof Promise ? found.then(known) : known(found);
}

function known(principal: Principal | undefined): Principal {
  if (principal !== undefined) return principal;
  throw new GatewayError("unauthorized", "The API key is not known to this gateway.");
}
