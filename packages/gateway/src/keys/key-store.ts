import type { Principal } from "../core/principal.ts";

/** Knows the keys clients may present. Synchronous: keys live in memory, whatever stores them. */
export interface KeyStore {
  /** True when nothing is checked: any key or none is accepted. */
  readonly open: boolean;
  /** The key's owner; undefined for a key nobody was given. Takes the same time for near and far misses. */
  find(key: string): Principal | undefined;
}
