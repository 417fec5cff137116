const offset = 0x811c9dc5;
const prime = 0x01000193;

/**
 * Hashes a text's UTF-16 units (FNV-1a with a final mix), 32 bits, unsigned. For spreading and stickiness; never for
 * secrets. `seed` continues an earlier hash.
 */
export function hashText(text: string, seed: number = offset): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), prime);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

/** A hash as a number in [0, 1). */
export function hashFraction(text: string): number {
  return hashText(text) / 2 ** 32;
}
