import { auditPage, listAuditQuery } from "@fairlead/contract/admin-api/audit-api";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";
import { isoTime } from "../wire-time.ts";

/** Who changed what, when and from where. */
export function auditRoutes({ directory }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path: "/admin/v1/audit",
      permission: "audit.read",
      summary: "List changes, newest first",
      query: listAuditQuery,
      answer: auditPage,
      async handle({ query }) {
        const { limit, cursor, actor, subject, action } = query;
        const { items, next } = await directory.list("audit", {
          limit,
          after: cursor,
          where: { actor, subject, action },
        });
        const data = items.map((entry) => ({
          id: entry.id,
          at: isoTime(entry.createdAt),
          actor: entry.actor,
          address: entry.address,
          action: entry.action,
          subject: entry.subject,
          before: entry.before ?? null,
          after: entry.after ?? null,
        }));
        return { data, next_cursor: next ?? null };
      },
    }),
  ];
}
