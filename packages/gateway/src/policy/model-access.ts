import type { Deployment } from "../core/deployment.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { Principal } from "../core/principal.ts";

/** Whether one entry of an allow list means this deployment. */
function means(entry: string, target: Deployment, { names }: Catalogue): boolean {
  if (entry === "*") return true;
  if (entry === "@local" || entry === "@cloud") return target.upstream.placement === entry.slice(1);
  if (!entry.endsWith("*")) return target.id === entry || (names.get(entry)?.targets.includes(target) ?? false);
  const start = entry.slice(0, -1);
  if (target.id.startsWith(start) || target.model.startsWith(start)) return true;
  for (const [name, { targets }] of names) if (name.startsWith(start) && targets.includes(target)) return true;
  return false;
}

const known = new WeakMap<Catalogue, WeakMap<Principal, ReadonlySet<Deployment>>>();

/** The deployments a principal may use: those that each of its allow lists means. Worked out once per key and config. */
export function allowedTargets(principal: Principal, catalogue: Catalogue): ReadonlySet<Deployment> | undefined {
  if (principal.allowedModels.length === 0) return undefined;
  let byPrincipal = known.get(catalogue);
  if (byPrincipal === undefined) {
    byPrincipal = new WeakMap();
    known.set(catalogue, byPrincipal);
  }
  let allowed = byPrincipal.get(principal);
  if (allowed === undefined) {
    const { deployments } = catalogue;
    allowed = new Set(
      deployments.filter((target) =>
        principal.allowedModels.every((list) => list.some((entry) => means(entry, target, catalogue))),
      ),
    );
    byPrincipal.set(principal, allowed);
  }
  return allowed;
}
