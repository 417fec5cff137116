import type { Deployment } from "../core/deployment.ts";
import type { Catalogue } from "../core/gateway-model.ts";

/**
 * The answer of `GET /v1/models`: `auto`, then every public name that leads to an allowed target, without
 * `<upstream>/<model>` forms.
 */
export function modelList(catalogue: Catalogue, allowed: ReadonlySet<Deployment> | undefined): Record<string, unknown> {
  const data: Record<string, unknown>[] = [{ id: "auto", object: "model", created: 0, owned_by: "fairlead" }];
  for (const [name, { targets, listed }] of catalogue.names) {
    const target = targets.find((candidate) => allowed?.has(candidate) ?? true);
    if (!listed || target === undefined || name === "auto") continue;
    data.push({
      id: name,
      object: "model",
      created: 0,
      owned_by: target.upstream.provider,
      placement: target.upstream.placement,
      ...(target.contextWindow === undefined ? {} : { context_window: target.contextWindow }),
    });
  }
  return { object: "list", data };
}
