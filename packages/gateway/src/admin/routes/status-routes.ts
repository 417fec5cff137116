import { statusAnswer } from "@fairlead/contract/admin-api/usage-api";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";

/** How upstreams are, and what each deployment costs now. */
export function statusRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path: "/admin/v1/upstreams",
      permission: "upstreams.read",
      summary: "How upstreams are",
      answer: statusAnswer,
      handle: async () => ({ data: deps.upstreams() }),
    }),
    adminRoute({
      method: "get",
      path: "/admin/v1/prices",
      permission: "prices.read",
      summary: "What each deployment costs now",
      answer: statusAnswer,
      handle: async () => ({ data: deps.prices() }),
    }),
  ];
}
