import type { Deployment } from "../../core/deployment.ts";
import { hashText } from "../../lib/hash-text.ts";
import type { TargetView } from "../target-view.ts";

const hashes = new WeakMap<Deployment, number>();

function hashOf(target: Deployment): number {
  let hash = hashes.get(target);
  if (hash === undefined) {
    hash = hashText(target.id);
    hashes.set(target, hash);
  }
  return hash;
}

/** Mixes two hashes into (0, 1); the finaliser is Murmur3's, so that close inputs end far apart. */
function draw(a: number, b: number): number {
  let mixed = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (((mixed ^ (mixed >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

/**
 * The group as one key prefers it (weighted rendezvous hashing): each target gets its `weight`'s share of keys, and one that
 * comes or goes moves only the keys it gets or had.
 */
export function rendezvous(group: readonly TargetView[], key: number): TargetView[] {
  return group
    .map((view) => ({ view, score: view.deployment.weight / -Math.log(draw(key, hashOf(view.deployment))) }))
    .sort((a, b) => b.score - a.score)
    .map(({ view }) => view);
}
