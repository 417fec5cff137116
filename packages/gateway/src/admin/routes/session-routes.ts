import {
  changePasswordBody,
  passwordChangedAnswer,
  sessionAnswer,
  sessionPage,
  setupBody,
  signedOutAnswer,
  signInBody,
  signInOptionsAnswer,
} from "@fairlead/contract/admin-api/session-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import { GatewayError } from "../../core/errors.ts";
import type { User } from "../../keys/directory-entities.ts";
import { sameText } from "../../keys/key-hash.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import { LockOut, type LockSubject } from "../lock-out.ts";
import type { PasswordGate } from "../password-gate.ts";
import { clearedSessionCookie, isSecure } from "../session-cookie.ts";
import { type StartedSession, sessionAnswerOf, startSession } from "../start-session.ts";
import { isoTime } from "../wire-time.ts";

const path = "/admin/v1/session";

function signedIn({ identity, cookie }: StartedSession, deps: AdminDeps, status: number): Response {
  const headers = { "set-cookie": cookie, "cache-control": "no-store" };
  return Response.json(sessionAnswerOf(identity, deps), { status, headers });
}

function signInSubjects(account: string, address: string): readonly LockSubject[] {
  return [
    ["client", JSON.stringify([account, address])],
    ["account", account],
    ["address", address],
  ];
}

function signInRoutes(deps: AdminDeps, gate: PasswordGate, lockOut: LockOut): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "post",
      path,
      permission: "public",
      summary: "Sign in with a password",
      body: signInBody,
      answer: sessionAnswer,
      status: 201,
      async handle({ body, request, actor }) {
        const user = await deps.directory.find("user", "name", body.email);
        const hash = user?.kind === "person" && !user.disabled ? user.passwordHash : undefined;
        const right = await lockOut.check(signInSubjects(body.email, deps.addressOf(request)), () =>
          hash === undefined ? gate.verifyNobody(body.password) : gate.verify(body.password, hash),
        );
        if (!right || user === undefined) {
          await deps.directory.change(actor, (changes) => changes.note("session.refused", `account:${body.email}`));
          throw new GatewayError("unauthorized", "The e-mail address or the password is wrong.");
        }
        return signedIn(await startSession(request, user, deps), deps, 201);
      },
    }),
    adminRoute({
      method: "post",
      path: "/admin/v1/setup",
      permission: "public",
      summary: "Make the first owner with the first-run token",
      body: setupBody,
      answer: sessionAnswer,
      status: 201,
      async handle({ body, request }) {
        const address = deps.addressOf(request);
        const right = await lockOut.check([["client", `setup ${address}`]], async () => {
          const expected = deps.firstRun.token();
          return expected !== undefined && sameText(deps.hash(body.token), deps.hash(expected.reveal()));
        });
        if (!right) throw new GatewayError("unauthorized", "The first-run token is wrong, or it was used already.");
        const passwordHash = await gate.hash(body.password);
        const owner = await deps.directory.change({ name: "setup", address }, async (changes) => {
          // Inside, so that two who send the token at once make one owner.
          const { items } = await changes.list("user", { limit: 1, where: { role: "owner" } });
          if (items.length > 0) throw new GatewayError("conflict", "This gateway has an owner already.");
          const draft = { kind: "person", name: body.email, role: "owner", disabled: false } as const;
          return changes.insert("user", { ...draft, passwordHash, oidcSubject: undefined }, "user.set_up");
        });
        await deps.firstRun.burn();
        return signedIn(await startSession(request, owner, deps), deps, 201);
      },
    }),
    adminRoute({
      method: "get",
      path: "/admin/v1/sign-in-options",
      permission: "public",
      summary: "How one may sign in here",
      answer: signInOptionsAnswer,
      handle: async () => ({
        setup_needed: deps.firstRun.token() !== undefined,
        oidc: deps.settings.oidc !== undefined,
      }),
    }),
  ];
}

async function endSession(id: string, user: string | undefined, deps: AdminDeps, actor: User["id"], address: string) {
  await deps.directory.change({ name: actor, address }, async (changes) => {
    const session = await changes.get("session", id);
    if (session === undefined || session.user !== user) throw notFound("session", id);
    await changes.remove("session", id);
  });
}

function passwordRoute(deps: AdminDeps, gate: PasswordGate, lockOut: LockOut): AdminRoute {
  return adminRoute({
    method: "put",
    path: "/admin/v1/session/password",
    permission: "session.own",
    summary: "Change one's own password; every other session ends",
    body: changePasswordBody,
    answer: passwordChangedAnswer,
    async handle({ body, by, actor }) {
      const user = by.userId === undefined ? undefined : await deps.directory.get("user", by.userId);
      const known = user?.passwordHash;
      if (user === undefined || known === undefined) {
        throw new GatewayError("conflict", "This account has no password.");
      }
      // Strangers cannot count here: who gets this far is signed in.
      if (!(await lockOut.check([["client", `own ${user.id}`]], () => gate.verify(body.current, known)))) {
        throw new GatewayError("role_forbids", "The current password is wrong.", { param: "current" });
      }
      const passwordHash = await gate.hash(body.password);
      await deps.directory.change(actor, async (changes) => {
        const { items } = await changes.list("session", { limit: 1000, where: { user: user.id } });
        for (const { id } of items) {
          if (id !== by.session?.id) await changes.remove("session", id, "session.revoked");
        }
        await changes.update("user", { ...user, passwordHash }, "user.password_changed");
      });
      return { changed: true as const };
    },
  });
}

function ownSessionRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "session.own",
      summary: "Who is signed in",
      answer: sessionAnswer,
      handle: async ({ by }) => sessionAnswerOf(by, deps),
    }),
    adminRoute({
      method: "delete",
      path,
      permission: "session.own",
      summary: "Sign out",
      answer: signedOutAnswer,
      async handle({ by, request, actor }) {
        if (by.session !== undefined) {
          await endSession(by.session.id, by.userId, deps, actor.name, actor.address);
        }
        const cookie = clearedSessionCookie(isSecure(request, deps.settings.publicUrl));
        const headers = { "set-cookie": cookie, "cache-control": "no-store" };
        return Response.json({ signed_out: true }, { headers });
      },
    }),
    adminRoute({
      method: "get",
      path: "/admin/v1/sessions",
      permission: "session.own",
      summary: "List one's own sessions",
      answer: sessionPage,
      async handle({ by }) {
        if (by.userId === undefined) return { data: [], next_cursor: null };
        const { items } = await deps.directory.list("session", { limit: 1000, where: { user: by.userId } });
        const data = items.map((session) => ({
          id: session.id,
          current: session.id === by.session?.id,
          address: session.address,
          created_at: isoTime(session.createdAt),
          last_seen_at: isoTime(session.lastSeenAt),
        }));
        return { data, next_cursor: null };
      },
    }),
    adminRoute({
      method: "delete",
      path: "/admin/v1/sessions/{id}",
      permission: "session.own",
      summary: "End one of one's own sessions",
      params: idParams,
      answer: deletedAnswer,
      async handle({ params, by, actor }) {
        await endSession(params.id, by.userId, deps, actor.name, actor.address);
        return deleted(params.id);
      },
    }),
  ];
}

/** First run, signing in and out, and one's own sessions. */
export function sessionRoutes(deps: AdminDeps, gate: PasswordGate): readonly AdminRoute[] {
  const lockOut = new LockOut(deps.clock);
  return [...signInRoutes(deps, gate, lockOut), passwordRoute(deps, gate, lockOut), ...ownSessionRoutes(deps)];
}
