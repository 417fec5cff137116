import type { AdminDeps } from "./admin-deps.ts";

const rootPaths = new Set([
  "/key/generate",
  "/key/info",
  "/key/update",
  "/key/delete",
  "/user/new",
  "/team/new",
  "/model/info",
  "/spend/logs",
]);

/** Whether a path belongs to the admin API: all below `/admin/v1`, and the few that other gateways' tools use. */
export function isAdminPath(path: string): boolean {
  return path.startsWith("/admin/v1/") || rootPaths.has(path);
}

/** The admin API, whose code is loaded with its first request: starting and serving models do not wait for it. */
export function lazyAdmin(deps: AdminDeps): (request: Request) => Promise<Response> {
  let app: Promise<{ fetch(request: Request): Response | Promise<Response> }> | undefined;
  return async (request) => {
    app ??= import("./admin-app.ts").then(({ adminApp }) => adminApp(deps));
    return (await app).fetch(request);
  };
}
