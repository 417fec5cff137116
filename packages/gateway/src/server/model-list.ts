import type { Catalogue } from "../core/gateway-model.ts";

/** The answer of `GET /v1/models`: `auto`, then every public name, without `<upstream>/<model>` forms. */
export function modelList(catalogue: Catalogue): Record<string, unknown> {
  const data: Record<string, unknown>[] = [{ id: "auto", object: "model", created: 0, owned_by: "fairlead" }];
  for (const [name, { targets, listed }] of catalogue.names) {
    const target = targets[0];
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
