import { GatewayError } from "../core/errors.ts";
import type { Session, User } from "../keys/directory-entities.ts";
import { sameText } from "../keys/key-hash.ts";
import type { AdminDeps } from "./admin-deps.ts";
import type { AdminIdentity } from "./admin-identity.ts";
import { readSessionCookie } from "./session-cookie.ts";

const touchEveryMs = 60_000;
const idleMs = 2 * 3_600_000;
/** Longer texts are no token of ours, and are not hashed. */
const longestToken = 512;

const refused = (message: string): GatewayError => new GatewayError("unauthorized", message);

async function activeUser(deps: AdminDeps, id: string): Promise<User> {
  const user = await deps.directory.get("user", id);
  if (user === undefined || user.disabled) throw refused("The account is disabled or was deleted.");
  return user;
}

async function byToken(token: string, address: string, deps: AdminDeps): Promise<AdminIdentity> {
  if (token.length > longestToken) throw refused("The token is not known to this gateway.");
  const digest = deps.hash(token);
  // Every one is compared, so that time tells nothing of which came close.
  const operator = deps.operatorTokens.filter((secret) => sameText(deps.hash(secret.reveal()), digest)).length > 0;
  if (operator) {
    const actor = { name: "operator", address };
    return { kind: "operator", userId: undefined, name: "operator", role: "owner", session: undefined, actor };
  }
  const known = token.startsWith("fla-") ? await deps.directory.find("token", "hash", digest) : undefined;
  if (known === undefined) throw refused("The token is not known to this gateway.");
  if (known.expiresAt !== undefined && known.expiresAt <= deps.clock.now()) throw refused("The token has expired.");
  const user = await activeUser(deps, known.user);
  const actor = { name: `user:${user.id}`, address };
  return { kind: "token", userId: user.id, name: user.name, role: user.role, session: undefined, actor };
}

/** When a session ends unless it is used again, and at the latest. */
export function sessionEndsAt(session: Session, sessionMs: number): number {
  return Math.min(session.createdAt + sessionMs, session.lastSeenAt + Math.min(idleMs, sessionMs));
}

async function touch(session: Session, deps: AdminDeps, nowMs: number): Promise<void> {
  if (nowMs - session.lastSeenAt < touchEveryMs) return;
  try {
    await deps.directory.change({ name: "session", address: "" }, (changes) =>
      changes.update("session", { ...session, lastSeenAt: nowMs }),
    );
  } catch (thrown) {
    // Another request of the same browser was faster, or it just signed out.
    const { code } = GatewayError.from(thrown);
    if (code !== "conflict" && code !== "not_found") throw thrown;
  }
}

async function byCookie(token: string, address: string, deps: AdminDeps): Promise<AdminIdentity> {
  const session = await deps.directory.find("session", "hash", deps.hash(token.slice(0, longestToken)));
  const nowMs = deps.clock.now();
  if (session === undefined || sessionEndsAt(session, deps.settings.sessionMs) <= nowMs) {
    throw refused("The session has ended. Sign in again.");
  }
  const user = await activeUser(deps, session.user);
  await touch(session, deps, nowMs);
  const actor = { name: `user:${user.id}`, address };
  return { kind: "session", userId: user.id, name: user.name, role: user.role, session, actor };
}

/**
 * Returns who calls, by bearer token or else by session cookie.
 * @throws GatewayError `unauthorized`, `store_unavailable`
 */
export async function identify(request: Request, deps: AdminDeps): Promise<AdminIdentity> {
  const address = deps.addressOf(request);
  const authorization = request.headers.get("authorization");
  if (authorization !== null) {
    const [scheme, token] = authorization.split(/\s+/, 2);
    if (scheme?.toLowerCase() === "bearer" && token) return byToken(token, address, deps);
    throw refused("The header `Authorization` must be `Bearer <token>`.");
  }
  const cookie = readSessionCookie(request.headers);
  if (cookie !== undefined) return byCookie(cookie, address, deps);
  throw refused("Nobody is signed in. Sign in, or send `Authorization: Bearer <token>`.");
}
