import {
  createdKeyAnswer,
  createKeyBody,
  keyAnswer,
  keyPage,
  listKeysQuery,
  rotateKeyBody,
  updateKeyBody,
} from "@fairlead/contract/admin-api/key-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import { GatewayError } from "../../core/errors.ts";
import type { VirtualKey } from "../../keys/directory-entities.ts";
import { may } from "../../keys/roles.ts";
import type { AdminDeps } from "../admin-deps.ts";
import type { AdminIdentity } from "../admin-identity.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import {
  changedKey,
  checkOwners,
  checkStrategies,
  keyAnswerOf,
  keyDraft,
  keyMaterial,
  removeKey,
} from "../key-drafts.ts";

const path = "/admin/v1/keys";

const sees = (by: AdminIdentity, key: VirtualKey): boolean =>
  may(by.role, "keys.read") || (by.userId !== undefined && key.user === by.userId);

function readRoutes({ directory }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "keys.read_own",
      summary: "List keys; members see their own",
      query: listKeysQuery,
      answer: keyPage,
      async handle({ query, by }) {
        const all = may(by.role, "keys.read");
        if (!all && query.user !== undefined && query.user !== by.userId) {
          throw new GatewayError("role_forbids", "The role member sees its own keys only.", { param: "query.user" });
        }
        const where = { team: query.team, user: all ? query.user : (by.userId ?? "") };
        const { items, next } = await directory.list("key", { limit: query.limit, after: query.cursor, where });
        return { data: items.map(keyAnswerOf), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/{id}`,
      permission: "keys.read_own",
      summary: "Read a key; members their own",
      params: idParams,
      answer: keyAnswer,
      async handle({ params, by }) {
        const key = await directory.get("key", params.id);
        if (key === undefined || !sees(by, key)) throw notFound("key", params.id);
        return keyAnswerOf(key);
      },
    }),
  ];
}

function writeRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { directory } = deps;
  return [
    adminRoute({
      method: "post",
      path,
      permission: "keys.write",
      summary: "Make a key; the answer shows it once",
      body: createKeyBody,
      answer: createdKeyAnswer,
      status: 201,
      async handle({ body, actor }) {
        checkStrategies(body, deps);
        const { text, stored } = keyMaterial(deps);
        const key = await directory.change(actor, async (changes) => {
          const draft = keyDraft(body, stored);
          await checkOwners(changes, draft);
          return changes.insert("key", draft);
        });
        await deps.changed();
        return { ...keyAnswerOf(key), key: text };
      },
    }),
    adminRoute({
      method: "patch",
      path: `${path}/{id}`,
      permission: "keys.write",
      summary: "Change, disable or enable a key",
      params: idParams,
      body: updateKeyBody,
      answer: keyAnswer,
      async handle({ params, body, actor }) {
        checkStrategies(body, deps);
        const key = await directory.change(actor, async (changes) => {
          const old = await changes.get("key", params.id);
          if (old === undefined) throw notFound("key", params.id);
          const next = changedKey(old, body);
          await checkOwners(changes, next);
          return changes.update("key", next);
        });
        await deps.changed();
        return keyAnswerOf(key);
      },
    }),
    adminRoute({
      method: "post",
      path: `${path}/{id}/rotate`,
      permission: "keys.write",
      summary: "Replace a key; the old one is taken for a time of grace",
      params: idParams,
      body: rotateKeyBody,
      answer: createdKeyAnswer,
      async handle({ params, body, actor }) {
        const { text, stored } = keyMaterial(deps);
        const key = await directory.change(actor, async (changes) => {
          const old = await changes.get("key", params.id);
          if (old === undefined) throw notFound("key", params.id);
          const graceUntil = deps.clock.now() + body.grace_seconds * 1000;
          const previous = body.grace_seconds === 0 ? undefined : { hash: old.hash, graceUntil };
          return changes.update("key", { ...old, ...stored, previous }, "key.rotated");
        });
        await deps.changed();
        return { ...keyAnswerOf(key), key: text };
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{id}`,
      permission: "keys.write",
      summary: "Delete a key with its own budgets and limits",
      params: idParams,
      answer: deletedAnswer,
      async handle({ params, actor }) {
        await directory.change(actor, async (changes) => {
          const key = await changes.get("key", params.id);
          if (key === undefined) throw notFound("key", params.id);
          await removeKey(changes, key);
        });
        await deps.changed();
        return deleted(params.id);
      },
    }),
  ];
}

/** Virtual keys. */
export function keyRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [...readRoutes(deps), ...writeRoutes(deps)];
}
