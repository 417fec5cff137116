import { errorAnswer } from "@fairlead/contract/admin-api/wire-fields";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ZodObject, ZodType } from "zod";
import { GatewayError } from "../core/errors.ts";
import { may } from "../keys/roles.ts";
import type { AdminDeps } from "./admin-deps.ts";
import type { AdminIdentity } from "./admin-identity.ts";
import type { AdminCall, AdminRoute } from "./admin-route.ts";
import { checkCsrf, refuseForeignOrigin } from "./check-origin.ts";
import { identify } from "./identify.ts";
import { parseInput } from "./parse-input.ts";
import { readJson } from "./read-json.ts";

async function authorise(request: Request, route: AdminRoute, deps: AdminDeps): Promise<AdminIdentity | undefined> {
  const { publicUrl } = deps.settings;
  if (route.permission === "public") {
    refuseForeignOrigin(request, publicUrl);
    return undefined;
  }
  const identity = await identify(request, deps);
  if (identity.session !== undefined) checkCsrf(request, identity.session, publicUrl);
  if (!may(identity.role, route.permission)) {
    throw new GatewayError("role_forbids", `The role ${identity.role} may not do this: it needs ${route.permission}.`);
  }
  return identity;
}

async function callOf(c: Context, route: AdminRoute, deps: AdminDeps): Promise<AdminCall<unknown, unknown, unknown>> {
  const request = c.req.raw;
  const identity = await authorise(request, route, deps);
  const params = route.params && parseInput(route.params, c.req.param(), "path");
  const query = route.query && parseInput(route.query, c.req.query(), "query");
  const body = route.body && parseInput(route.body, await readJson(request, deps.clock), "");
  return {
    params,
    query,
    body,
    request,
    get by(): AdminIdentity {
      if (identity === undefined) throw new GatewayError("unauthorized", "Nobody is signed in.");
      return identity;
    },
    actor: identity?.actor ?? { name: "unknown", address: deps.addressOf(request) },
  };
}

function describe(route: AdminRoute): Parameters<OpenAPIHono["openAPIRegistry"]["registerPath"]>[0] {
  const { params, query, body, answer } = route;
  const content = Array.isArray(answer)
    ? Object.fromEntries((answer as readonly string[]).map((type) => [type, { schema: { type: "string" as const } }]))
    : { "application/json": { schema: answer as ZodType } };
  const permission = route.permission === "public" ? {} : { security: [{ bearer: [] }, { session: [] }] };
  return {
    method: route.method,
    path: route.path,
    summary: route.summary,
    "x-permission": route.permission,
    ...permission,
    request: {
      ...(params && { params: params as ZodObject }),
      ...(query && { query: query as ZodObject }),
      ...(body && { body: { required: true, content: { "application/json": { schema: body } } } }),
    },
    responses: {
      [route.status]: { description: "Done.", content },
      default: { description: "An error.", content: { "application/json": { schema: errorAnswer } } },
    },
  };
}

/** Serves a route and documents it. Who calls is settled before anything of the request is looked at. */
export function mountRoute(app: OpenAPIHono, route: AdminRoute, deps: AdminDeps): void {
  app.openAPIRegistry.registerPath(describe(route));
  app.on([route.method.toUpperCase()], [route.path.replaceAll(/\{(.+?)\}/g, ":$1")], async (c) => {
    const call = await callOf(c, route, deps);
    const result = await route.handle(call as AdminCall<never, never, never>);
    if (result instanceof Response) return result;
    return Response.json(result, { status: route.status, headers: { "cache-control": "no-store" } });
  });
}
