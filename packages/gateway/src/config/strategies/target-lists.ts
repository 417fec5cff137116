import type { Deployment } from "../../core/deployment.ts";
import type { ConfigPath } from "../config-error.ts";

/** The lists of deployments that selections may refer to. */
export interface TargetLists {
  /** In the order of the config. */
  readonly deployments: readonly Deployment[];
  readonly autoCloud: readonly Deployment[];
  readonly longContext: readonly Deployment[];
  readonly fallback: readonly Deployment[];
}

/** Finds what references of a selection mean, without repeats; what names nothing is noted. */
export type FindTargets = (references: readonly string[], at: ConfigPath) => readonly Deployment[];

/** The lists under `routing` as rules spell them. */
export const listReferences: Readonly<Record<string, Exclude<keyof TargetLists, "deployments">>> = {
  "@autoCloud": "autoCloud",
  "@longContext": "longContext",
  "@fallback": "fallback",
};

/** Finds targets in the lists themselves; every other reference is left to `names`. */
export function findIn(lists: TargetLists, names: FindTargets): FindTargets {
  return (references, at) => {
    const found = references.flatMap((reference, i) => {
      if (Object.hasOwn(listReferences, reference)) {
        const list = listReferences[reference];
        return list === undefined ? [] : lists[list];
      }
      return names([reference], [...at, i]);
    });
    return [...new Set(found)];
  };
}

/** Finds placements only, for strategies that name no deployment. */
export function findPlacements({ deployments }: Pick<TargetLists, "deployments">): FindTargets {
  return (references) =>
    references.flatMap((reference) => deployments.filter(({ upstream }) => reference === `@${upstream.placement}`));
}
