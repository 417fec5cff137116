import type { Principal } from "../core/principal.ts";

/** Knows the keys clients may present. Keys live in memory, whatever stores them; only a signed token seen first may take time. */
export interface KeyStore {
  /** True while nothing is checked: any key or none is accepted. May change as keys are made. */
  readonly open: boolean;
  /** False while it cannot be told whether a key is needed: stored keys were never read, and nothing else asks for one. */
  readonly decided: boolean;
  /** Who sends no key is served all the same. */
  readonly anonymous: boolean;
  /**
   * The key's owner; undefined for a key nobody was given. Takes the same time for near and far misses.
   * @throws GatewayError `unauthorized` for a known key that is expired or disabled
   */
  find(key: string): Principal | undefined | Promise<Principal | undefined>;
}
