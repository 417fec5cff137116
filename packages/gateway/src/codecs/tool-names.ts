import { createHash } from "node:crypto";

/**
 * Returns a name or an id that every provider accepts: legal ones unchanged, others with a hash of the original, so that
 * two originals never meet. A pure function, the same on every replica.
 * @see docs/spec/wire-formats.md 0.3
 */
export function legalToolWord(original: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(original)) return original;
  const hash = createHash("sha256").update(original).digest("hex").slice(0, 8);
  return `${original.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 55)}_${hash}`;
}
