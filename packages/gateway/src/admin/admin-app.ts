import { OpenAPIHono } from "@hono/zod-openapi";
import { GatewayError } from "../core/errors.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { adminRoutes } from "./admin-routes.ts";
import { answerError } from "./answer-error.ts";
import { mountRoute } from "./mount-route.ts";

const documentPath = "/admin/v1/openapi.json";

const documentInfo = {
  openapi: "3.1.0",
  info: {
    title: "Fairlead admin API",
    version: "1",
    description: "Keys, teams, budgets, limits, usage and configuration. Money is US dollars, times are ISO 8601.",
  },
};

/** The admin API as a `Request → Response` function, with the document of its routes. Nothing is thrown out of it. */
export function adminApp(deps: AdminDeps): OpenAPIHono {
  const app = new OpenAPIHono();
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: "fairlead_session",
  });
  for (const route of adminRoutes(deps)) mountRoute(app, route, deps);

  let document: unknown;
  app.get(documentPath, () => {
    document ??= app.getOpenAPI31Document(documentInfo);
    return Response.json(document);
  });
  app.notFound(({ req }) => {
    const path = req.path.slice(0, 120);
    return answerError(new GatewayError("not_found", `There is nothing at ${req.method} ${path}.`));
  });
  app.onError((thrown) => {
    const error = GatewayError.from(thrown);
    if (error.row.fault === "gateway") deps.alert(error);
    return answerError(error);
  });
  return app;
}
