import {
  createLimitBody,
  limitAnswer,
  limitPage,
  listLimitsQuery,
  updateLimitBody,
} from "@fairlead/contract/admin-api/budget-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import type { RateLimit } from "../../core/budget.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import { limitAnswerOf, readScope } from "../budget-wire.ts";
import { refuseConfigured, refuseConfiguredName } from "./budget-routes.ts";

const path = "/admin/v1/limits";

function readRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "limits.read",
      summary: "List rate limits; those of the config stand on the first page",
      query: listLimitsQuery,
      answer: limitPage,
      async handle({ query }) {
        const { items, next } = await deps.directory.list("limit", { limit: query.limit, after: query.cursor });
        const configured = query.cursor === undefined ? deps.configured().limits : [];
        return { data: [...configured, ...items].map(limitAnswerOf), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/{id}`,
      permission: "limits.read",
      summary: "Read a rate limit",
      params: idParams,
      answer: limitAnswer,
      async handle({ params }) {
        const configured = deps.configured().limits.find((one) => one.id === params.id);
        const limit = configured ?? (await deps.directory.get("limit", params.id));
        if (limit === undefined) throw notFound("limit", params.id);
        return limitAnswerOf(limit);
      },
    }),
  ];
}

function writeRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { directory } = deps;
  const given = (value: number | null | undefined, old: number | undefined): number | undefined =>
    value === undefined ? old : (value ?? undefined);
  return [
    adminRoute({
      method: "post",
      path,
      permission: "limits.write",
      summary: "Make a rate limit",
      body: createLimitBody,
      answer: limitAnswer,
      status: 201,
      async handle({ body, actor }) {
        refuseConfiguredName("limit", body.name, deps.configured().limits);
        const limit = await directory.change(actor, (changes) =>
          changes.insert("limit", {
            name: body.name,
            scope: readScope(body.scope) as RateLimit["scope"],
            requestsPerMinute: body.requests_per_minute ?? undefined,
            tokensPerMinute: body.tokens_per_minute ?? undefined,
            concurrency: body.concurrency ?? undefined,
            source: "api",
          }),
        );
        await deps.changed();
        return limitAnswerOf(limit);
      },
    }),
    adminRoute({
      method: "patch",
      path: `${path}/{id}`,
      permission: "limits.write",
      summary: "Change a rate limit",
      params: idParams,
      body: updateLimitBody,
      answer: limitAnswer,
      async handle({ params, body, actor }) {
        refuseConfigured("limit", params.id, deps.configured().limits);
        const limit = await directory.change(actor, async (changes) => {
          const old = await changes.get("limit", params.id);
          if (old === undefined) throw notFound("limit", params.id);
          return changes.update("limit", {
            ...old,
            version: body.version ?? old.version,
            requestsPerMinute: given(body.requests_per_minute, old.requestsPerMinute),
            tokensPerMinute: given(body.tokens_per_minute, old.tokensPerMinute),
            concurrency: given(body.concurrency, old.concurrency),
          });
        });
        await deps.changed();
        return limitAnswerOf(limit);
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{id}`,
      permission: "limits.write",
      summary: "Delete a rate limit",
      params: idParams,
      answer: deletedAnswer,
      async handle({ params, actor }) {
        refuseConfigured("limit", params.id, deps.configured().limits);
        await directory.change(actor, (changes) => changes.remove("limit", params.id));
        await deps.changed();
        return deleted(params.id);
      },
    }),
  ];
}

/** Rate limits: the config's, to read, and the API's own. */
export function limitRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [...readRoutes(deps), ...writeRoutes(deps)];
}
