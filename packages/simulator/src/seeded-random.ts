/** Hashes text to 32 bits (FNV-1a), the same on every machine. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** Returns `length` hexadecimal digits derived from the text. */
export function hashHex(text: string, length: number): string {
  let out = "";
  for (let round = 0; out.length < length; round++) {
    out += hash32(`${round}:${text}`).toString(16).padStart(8, "0");
  }
  return out.slice(0, length);
}

/** A source of numbers in [0, 1) that repeats for the same seed. */
export type Random = () => number;

/** Makes a deterministic random source (mulberry32). */
export function seededRandom(seed: string): Random {
  let state = hash32(seed);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Picks one element; the list must not be empty. */
export function pick<T>(random: Random, list: readonly [T, ...T[]]): T {
  return list[Math.floor(random() * list.length)] ?? list[0];
}
