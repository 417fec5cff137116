import {
  createdTokenAnswer,
  createTokenBody,
  listUsersQuery,
  type tokenAnswer,
  tokenPage,
  tokenParams,
} from "@fairlead/contract/admin-api/user-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import type { z } from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { AdminToken, User } from "../../keys/directory-entities.ts";
import { keyPrefix, newKeyText } from "../../keys/key-text.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import { fromIsoTime, isoTime, optionalIsoTime } from "../wire-time.ts";
import { checkGrant } from "./user-routes.ts";

const path = "/admin/v1/users/{id}/tokens";

function tokenAnswerOf(token: AdminToken): z.input<typeof tokenAnswer> {
  return {
    id: token.id,
    user: token.user,
    name: token.name,
    prefix: token.prefix,
    expires_at: optionalIsoTime(token.expiresAt),
    created_at: isoTime(token.createdAt),
  };
}

function serviceAccount(user: User | undefined, id: string): User {
  if (user === undefined) throw notFound("user", id);
  if (user.kind !== "service") throw new GatewayError("invalid_request", "Only service accounts have tokens.");
  return user;
}

/** Tokens of service accounts for the admin API. A token has its account's role, so who may grant that may make it. */
export function tokenRoutes({ directory, randomBytes, hash }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "users.read",
      summary: "List the tokens of a service account",
      params: idParams,
      query: listUsersQuery.pick({ limit: true, cursor: true }),
      answer: tokenPage,
      async handle({ params, query }) {
        const where = { user: params.id };
        const { items, next } = await directory.list("token", { limit: query.limit, after: query.cursor, where });
        return { data: items.map(tokenAnswerOf), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "post",
      path,
      permission: "users.write",
      summary: "Make a token; the answer shows it once",
      params: idParams,
      body: createTokenBody,
      answer: createdTokenAnswer,
      status: 201,
      async handle({ params, body, by, actor }) {
        const text = newKeyText("fla", randomBytes);
        const token = await directory.change(actor, async (changes) => {
          const user = serviceAccount(await changes.get("user", params.id), params.id);
          checkGrant(by, user.role);
          const expiresAt = fromIsoTime(body.expires_at);
          const draft = { user: user.id, name: body.name, prefix: keyPrefix(text), hash: hash(text), expiresAt };
          return changes.insert("token", draft);
        });
        return { ...tokenAnswerOf(token), token: text };
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{token}`,
      permission: "users.write",
      summary: "Delete a token",
      params: tokenParams,
      answer: deletedAnswer,
      async handle({ params, by, actor }) {
        await directory.change(actor, async (changes) => {
          const user = serviceAccount(await changes.get("user", params.id), params.id);
          checkGrant(by, user.role);
          const token = await changes.get("token", params.token);
          if (token === undefined || token.user !== user.id) throw notFound("token", params.token);
          await changes.remove("token", token.id);
        });
        return deleted(params.token);
      },
    }),
  ];
}
