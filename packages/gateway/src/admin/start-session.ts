import type { SessionAnswer } from "@fairlead/contract/admin-api/session-api";
import type { User } from "../keys/directory-entities.ts";
import type { AdminDeps } from "./admin-deps.ts";
import type { AdminIdentity } from "./admin-identity.ts";
import { sessionEndsAt } from "./identify.ts";
import { isSecure, readSessionCookie, sessionCookie } from "./session-cookie.ts";
import { isoTime } from "./wire-time.ts";

const newToken = (deps: AdminDeps): string => Buffer.from(deps.randomBytes(32)).toString("base64url");

export interface StartedSession {
  readonly identity: AdminIdentity;
  readonly cookie: string;
}

/** Begins a session for a user who proved who they are. The one the browser had before ends: its token is worth nothing. */
export async function startSession(request: Request, user: User, deps: AdminDeps): Promise<StartedSession> {
  const { directory, hash, settings, clock } = deps;
  const address = deps.addressOf(request);
  const actor = { name: `user:${user.id}`, address };
  const token = newToken(deps);
  const old = readSessionCookie(request.headers);
  await directory.pruneSessions(clock.now() - settings.sessionMs);
  const session = await directory.change(actor, async (changes) => {
    const before = old === undefined ? undefined : await changes.find("session", "hash", hash(old.slice(0, 512)));
    if (before !== undefined) await changes.remove("session", before.id, "session.replaced");
    const draft = { user: user.id, hash: hash(token), csrf: newToken(deps), lastSeenAt: clock.now(), address };
    return changes.insert("session", draft);
  });
  const identity = { kind: "session", userId: user.id, name: user.name, role: user.role, session, actor } as const;
  const options = { secure: isSecure(request, settings.publicUrl), maxAgeMs: settings.sessionMs };
  return { identity, cookie: sessionCookie(token, options) };
}

export function sessionAnswerOf(by: AdminIdentity, deps: AdminDeps): SessionAnswer {
  const { session } = by;
  return {
    kind: by.kind,
    user: by.userId ?? null,
    name: by.name,
    role: by.role,
    csrf_token: session?.csrf ?? null,
    expires_at: session === undefined ? null : isoTime(sessionEndsAt(session, deps.settings.sessionMs)),
  };
}
