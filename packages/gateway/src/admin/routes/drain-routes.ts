import { drainAnswer } from "@fairlead/contract/admin-api/drain-api";
import { nameParams } from "@fairlead/contract/admin-api/wire-fields";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, notFound } from "../admin-route.ts";

const path = "/admin/v1/upstreams/{name}";

/** Taking one's own upstreams out of service and back. Holds for this process, until it ends. */
export function drainRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const route = (verb: "drain" | "resume", summary: string): AdminRoute => {
    const isDrained = verb === "drain";
    return adminRoute({
      method: "post",
      path: `${path}/${verb}`,
      permission: "upstreams.write",
      summary,
      params: nameParams,
      answer: drainAnswer,
      async handle({ params: { name }, actor }) {
        if (!deps.setDrained(name, isDrained)) throw notFound("self-hosted upstream", name);
        const action = isDrained ? "upstream.drained" : "upstream.resumed";
        await deps.directory.change(actor, (changes) =>
          changes.note(action, `upstream:${name}`, { drained: isDrained }),
        );
        return { name, drained: isDrained };
      },
    });
  };
  return [
    route("drain", "Send a self-hosted upstream no new requests; running ones finish"),
    route("resume", "Send a drained upstream requests again"),
  ];
}
