import {
  createUserBody,
  listUsersQuery,
  type UserAnswer,
  updateUserBody,
  userAnswer,
  userPage,
} from "@fairlead/contract/admin-api/user-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import type { Role } from "@fairlead/contract/names";
import { GatewayError } from "../../core/errors.ts";
import type { DirectoryChanges } from "../../keys/directory.ts";
import type { User } from "../../keys/directory-entities.ts";
import { mayGrant } from "../../keys/roles.ts";
import type { AdminDeps } from "../admin-deps.ts";
import type { AdminIdentity } from "../admin-identity.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import type { PasswordGate } from "../password-gate.ts";
import { isoTime } from "../wire-time.ts";

const path = "/admin/v1/users";

export function userAnswerOf(user: User): UserAnswer {
  return {
    id: user.id,
    kind: user.kind,
    name: user.name,
    role: user.role,
    disabled: user.disabled,
    signs_in_with: [
      ...(user.passwordHash === undefined ? [] : (["password"] as const)),
      ...(user.oidcSubject === undefined ? [] : (["oidc"] as const)),
    ],
    created_at: isoTime(user.createdAt),
    version: user.version,
  };
}

export function checkGrant(by: AdminIdentity, ...roles: readonly Role[]): void {
  for (const role of roles) {
    if (mayGrant(by.role, role)) continue;
    throw new GatewayError(
      "role_forbids",
      `The role ${by.role} may not make, change or remove a user of role ${role}.`,
    );
  }
}

/** @throws GatewayError `conflict` when nobody could sign in as owner any more */
async function keepAnOwner(changes: DirectoryChanges, lost: User): Promise<void> {
  if (lost.role !== "owner" || lost.disabled) return;
  const { items } = await changes.list("user", { limit: 1000, where: { role: "owner", disabled: "no" } });
  if (items.every((owner) => owner.id === lost.id)) {
    throw new GatewayError("conflict", "This is the last owner. Make another one first.");
  }
}

async function endSessions(changes: DirectoryChanges, user: string): Promise<void> {
  const { items } = await changes.list("session", { limit: 1000, where: { user } });
  for (const session of items) await changes.remove("session", session.id, "session.revoked");
}

async function updateUser(
  changes: DirectoryChanges,
  by: AdminIdentity,
  id: string,
  change: Partial<Pick<User, "role" | "disabled" | "passwordHash" | "version">>,
): Promise<User> {
  const old = await changes.get("user", id);
  if (old === undefined) throw notFound("user", id);
  const next: User = { ...old, ...change };
  checkGrant(by, old.role, next.role);
  if (next.role !== "owner" || next.disabled) await keepAnOwner(changes, old);
  if (change.passwordHash !== undefined && old.kind === "service") {
    throw new GatewayError("invalid_request", "A service account has tokens and no password.", { param: "password" });
  }
  // Whoever stole the old password or a session loses both.
  if (next.disabled || change.passwordHash !== undefined) await endSessions(changes, id);
  return changes.update("user", next);
}

function readRoutes({ directory }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "users.read",
      summary: "List people and service accounts",
      query: listUsersQuery,
      answer: userPage,
      async handle({ query }) {
        const where = { kind: query.kind, role: query.role };
        const { items, next } = await directory.list("user", { limit: query.limit, after: query.cursor, where });
        return { data: items.map(userAnswerOf), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/{id}`,
      permission: "users.read",
      summary: "Read a user",
      params: idParams,
      answer: userAnswer,
      async handle({ params }) {
        const user = await directory.get("user", params.id);
        if (user === undefined) throw notFound("user", params.id);
        return userAnswerOf(user);
      },
    }),
  ];
}

function writeRoutes(deps: AdminDeps, gate: PasswordGate): readonly AdminRoute[] {
  const { directory } = deps;
  return [
    adminRoute({
      method: "post",
      path,
      permission: "users.write",
      summary: "Make a person or a service account",
      body: createUserBody,
      answer: userAnswer,
      status: 201,
      async handle({ body, by, actor }) {
        checkGrant(by, body.role);
        const { kind, role } = body;
        const password = body.kind === "person" ? body.password : undefined;
        const passwordHash = password === undefined ? undefined : await gate.hash(password);
        const name = body.kind === "person" ? body.email : body.name;
        const user = await directory.change(actor, (changes) =>
          changes.insert("user", { kind, name, role, disabled: false, passwordHash, oidcSubject: undefined }),
        );
        return userAnswerOf(user);
      },
    }),
    adminRoute({
      method: "patch",
      path: `${path}/{id}`,
      permission: "users.write",
      summary: "Change role or password, disable or enable",
      params: idParams,
      body: updateUserBody,
      answer: userAnswer,
      async handle({ params, body, by, actor }) {
        const { password, ...rest } = body;
        const passwordHash = password === undefined ? {} : { passwordHash: await gate.hash(password) };
        const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
        const user = await directory.change(actor, (changes) =>
          updateUser(changes, by, params.id, { ...given, ...passwordHash }),
        );
        await deps.changed();
        return userAnswerOf(user);
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{id}`,
      permission: "users.write",
      summary: "Delete a user who has no keys",
      params: idParams,
      answer: deletedAnswer,
      async handle({ params, by, actor }) {
        await directory.change(actor, async (changes) => {
          const user = await changes.get("user", params.id);
          if (user === undefined) throw notFound("user", params.id);
          checkGrant(by, user.role);
          await keepAnOwner(changes, user);
          const where = { user: user.id };
          const keys = await changes.list("key", { limit: 1, where });
          if (keys.items.length > 0) {
            throw new GatewayError(
              "conflict",
              "The user still has keys. Delete or move them first, or disable the user.",
            );
          }
          await endSessions(changes, user.id);
          for (const token of (await changes.list("token", { limit: 1000, where })).items) {
            await changes.remove("token", token.id);
          }
          for (const member of (await changes.list("member", { limit: 1000, where })).items) {
            await changes.remove("member", member.id);
          }
          await changes.remove("user", user.id);
        });
        await deps.changed();
        return deleted(params.id);
      },
    }),
  ];
}

/** People and service accounts. */
export function userRoutes(deps: AdminDeps, gate: PasswordGate): readonly AdminRoute[] {
  return [...readRoutes(deps), ...writeRoutes(deps, gate)];
}
