import type { Deployment } from "../core/deployment.ts";
import type { Catalogue, NamedTarget } from "../core/gateway-model.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import { listed, type Preference, type Stage } from "./preference.ts";
import type { Asked } from "./resolve-name.ts";
import { refersTo } from "./target-reference.ts";

/**
 * Lays the client's own order over a preference: `order` goes first, `sort` orders what is preferred, `models` stand right
 * behind. With a named model `order` only arranges that model's own targets and fallbacks.
 */
export function withWishes(
  preference: Preference,
  { order, sort, models }: RoutingWish,
  { named }: Asked,
  catalogue: Catalogue,
  universe: ReadonlySet<Deployment>,
): Preference {
  if (order === undefined && sort === undefined && models === undefined) return preference;
  const { balance, names } = catalogue;
  const { confinedTo } = preference;
  const may = (target: Deployment): boolean =>
    universe.has(target) && (confinedTo === undefined || target.upstream.placement === confinedTo);
  let { reason, prefer, fallback } = preference;
  if (sort !== undefined) {
    const targets = [...new Set(prefer.flatMap((stage) => stage.targets))];
    prefer = [{ targets, order: [sort], balance }];
  }
  if (order !== undefined) {
    const pool = named === undefined ? [...universe] : [...prefer, ...fallback].flatMap(({ targets }) => targets);
    const stages = order
      .map(
        (reference): Stage =>
          listed(
            pool.filter((target) => refersTo(reference, target, catalogue)),
            balance,
          ),
      )
      .filter(({ targets }) => targets.some(may));
    const first = stages[0]?.targets.find(may);
    const preferred = new Set(prefer[0]?.targets ?? []);
    if (first !== undefined && !preferred.has(first)) reason = "client_preference";
    prefer = [...stages, ...prefer];
  }
  if (models !== undefined) {
    fallback = [...models.map((name) => listed(meant(names.get(name)), balance)), ...fallback];
  }
  return { ...preference, reason, prefer, fallback };
}

/** What a name stands for; a route that never leaves a placement does not leave it here either. */
function meant(named: NamedTarget | undefined): readonly Deployment[] {
  if (named === undefined) return [];
  const { targets, confinedTo } = named;
  return confinedTo === undefined ? targets : targets.filter(({ upstream }) => upstream.placement === confinedTo);
}
