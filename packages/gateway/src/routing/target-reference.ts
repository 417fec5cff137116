import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import { nearNames } from "../lib/near-names.ts";

/** Whether a client's reference means a deployment: its id, upstream, provider, model, a public name, or `@local`, `@cloud`. */
export function refersTo(reference: string, target: Deployment, { names }: Catalogue): boolean {
  const { upstream } = target;
  if (reference === target.id || reference === upstream.name || reference === upstream.provider) return true;
  if (reference === target.model || reference === `@${upstream.placement}`) return true;
  return names.get(reference)?.targets.includes(target) ?? false;
}

/** @throws GatewayError `invalid_request` for a reference that means nothing here */
export function checkReferences(references: readonly string[], param: string, catalogue: Catalogue): void {
  for (const reference of references) {
    if (catalogue.deployments.some((target) => refersTo(reference, target, catalogue))) continue;
    const upstreams = catalogue.deployments.map(({ upstream }) => upstream.name);
    const near = nearNames(reference, new Set(["@local", "@cloud", ...upstreams, ...catalogue.names.keys()]));
    const hint = near.length > 0 ? ` Did you mean ${near.map((name) => `\`${name}\``).join(" or ")}?` : "";
    throw new GatewayError(
      "invalid_request",
      `\`${param}\` names \`${reference.slice(0, 80)}\`, which is nothing here. Expected an upstream, a provider, a model, \`<upstream>/<model>\`, \`@local\` or \`@cloud\`.${hint}`,
      { param },
    );
  }
}
