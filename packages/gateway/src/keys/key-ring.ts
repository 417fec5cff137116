import { GatewayError } from "../core/errors.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import type { Clock } from "../lib/clock.ts";
import type { Secret } from "../lib/secret.ts";
import type { Team, User, VirtualKey } from "./directory-entities.ts";
import type { KeyHash } from "./key-hash.ts";
import type { KeyStore } from "./key-store.ts";
import { principalOfKey, principalOfToken } from "./principal-of.ts";
import type { TokenClaims, TokenVerifier } from "./token-verifier.ts";

/** All that decides who a key is. */
export interface KeyRingContent {
  readonly keys: readonly VirtualKey[];
  readonly teams: readonly Team[];
  readonly disabledUsers: readonly User[];
}

export interface KeyRingOptions {
  readonly hash: KeyHash;
  readonly clock: Clock;
  /** The one key of `auth.key`. */
  readonly sharedKey?: Secret | undefined;
  readonly tokens?: TokenVerifier | undefined;
  /** Nobody is served without a key, also while none was made. */
  readonly required?: boolean;
  /** Strangers are served too, beside those whose key is known. */
  readonly anonymous?: boolean;
}

interface Entry {
  readonly hash: string;
  readonly principal: Principal;
  readonly key: VirtualKey | undefined;
  readonly team: Team | undefined;
  readonly userDisabled: boolean;
  /** For the key before a rotation. */
  readonly graceUntil: number | undefined;
}

const refused = (message: string): GatewayError => new GatewayError("unauthorized", message);

function sharedEntry({ sharedKey, hash }: KeyRingOptions): Entry | undefined {
  if (sharedKey === undefined) return undefined;
  const principal: Principal = { ...anonymous, kind: "shared-key", keyId: "shared", keyName: "shared" };
  const rest = { key: undefined, team: undefined, userDisabled: false, graceUntil: undefined };
  return { hash: hash(sharedKey.reveal()), principal, ...rest };
}

/**
 * Every key the gateway knows, in memory, by keyed hash: one HMAC and one look-up a request. A principal stays the same
 * object until its key or team changes. Until the first `replace`, unknown keys are an outage and not a refusal.
 */
export class KeyRing implements KeyStore {
  #options: KeyRingOptions;
  #shared: Entry | undefined;
  #entries: ReadonlyMap<string, Entry>;
  #teams: ReadonlyMap<string, Team> = new Map();
  #disabledUsers: ReadonlySet<string> = new Set();
  #tokenPrincipals = new WeakMap<TokenClaims, Principal>();
  #loaded = false;
  #empty = true;

  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.#shared = sharedEntry(options);
    this.#entries = this.#withShared(new Map());
  }

  /** Goes by other settings of `auth` from now on; stored keys stay. */
  follow(settings: Pick<KeyRingOptions, "sharedKey" | "required" | "anonymous">): void {
    const stored = [...this.#entries.values()].filter((entry) => entry !== this.#shared);
    this.#options = { ...this.#options, ...settings };
    this.#shared = sharedEntry(this.#options);
    this.#entries = this.#withShared(new Map(stored.map((entry) => [entry.hash, entry])));
  }

  get open(): boolean {
    const { required, anonymous: all, tokens } = this.#options;
    if (!this.#empty || this.#shared !== undefined || tokens !== undefined) return false;
    return all === true || (required !== true && this.#loaded);
  }

  get decided(): boolean {
    const { required, tokens } = this.#options;
    return this.#loaded || required === true || this.#shared !== undefined || tokens !== undefined;
  }

  get anonymous(): boolean {
    return this.#options.anonymous === true;
  }

  /** Whether stored keys were read at least once. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The id of the key with this id or name; what was given when there is none. */
  idOf(idOrName: string): string {
    for (const { principal } of this.#entries.values()) {
      if (principal.keyName === idOrName) return principal.keyId ?? idOrName;
    }
    return idOrName;
  }

  find(presented: string): Principal | undefined | Promise<Principal | undefined> {
    const digest = this.#options.hash(presented);
    const entry = this.#entries.get(digest);
    // Both sides are keyed hashes: how long a look-up takes tells nothing of a key.
    if (entry !== undefined) return this.#admit(entry);
    const { tokens } = this.#options;
    if (tokens?.looksLike(presented)) {
      const claims = tokens.verify(presented);
      return claims instanceof Promise ? claims.then((some) => this.#bearer(some)) : this.#bearer(claims);
    }
    if (this.open || this.#options.anonymous === true) return anonymous;
    if (!this.#loaded) {
      throw new GatewayError("store_unavailable", "The API keys are not loaded yet: the database does not answer.", {
        retryAfterMs: 5_000,
      });
    }
    return undefined;
  }

  /** Puts other content in place at once. Cost grows with the number of keys; principals of unchanged keys are kept. */
  replace(content: KeyRingContent): void {
    const teams = new Map(content.teams.map((team) => [team.name, team]));
    const disabled = new Set(content.disabledUsers.map((user) => user.id));
    const entries = new Map<string, Entry>();
    for (const key of content.keys) {
      const team = key.team === undefined ? undefined : teams.get(key.team);
      const principal = this.#principalFor(key, team);
      const userDisabled = key.user !== undefined && disabled.has(key.user);
      const entry: Entry = { hash: key.hash, principal, key, team, userDisabled, graceUntil: undefined };
      entries.set(key.hash, entry);
      const { previous } = key;
      if (previous !== undefined) {
        entries.set(previous.hash, { ...entry, hash: previous.hash, graceUntil: previous.graceUntil });
      }
    }
    this.#empty = entries.size === 0;
    this.#entries = this.#withShared(entries);
    this.#teams = teams;
    this.#disabledUsers = disabled;
    this.#tokenPrincipals = new WeakMap();
    this.#loaded = true;
  }

  #withShared(entries: Map<string, Entry>): ReadonlyMap<string, Entry> {
    if (this.#shared !== undefined) entries.set(this.#shared.hash, this.#shared);
    return entries;
  }

  #principalFor(key: VirtualKey, team: Team | undefined): Principal {
    const old = this.#entries.get(key.hash);
    const same = old?.key?.version === key.version && old.key.id === key.id;
    return same && old.team?.version === team?.version ? old.principal : principalOfKey(key, team);
  }

  #admit(entry: Entry): Principal {
    const { key, team } = entry;
    if (key === undefined) return entry.principal;
    const nowMs = this.#options.clock.now();
    if (key.disabled) throw refused("This API key is disabled.");
    if (key.expiresAt !== undefined && key.expiresAt <= nowMs) throw refused("This API key has expired.");
    if (entry.graceUntil !== undefined && entry.graceUntil <= nowMs) {
      throw refused("This API key was replaced, and its time of grace is over. Use the new key.");
    }
    if (entry.userDisabled) throw refused("The account this API key belongs to is disabled.");
    if (team?.disabled) throw refused("The team this API key belongs to is disabled.");
    return entry.principal;
  }

  #bearer(claims: TokenClaims): Principal {
    const known = this.#tokenPrincipals.get(claims);
    if (known !== undefined) return known;
    const team = claims.team === undefined ? undefined : this.#teams.get(claims.team);
    if (claims.team !== undefined && team === undefined) {
      if (!this.#loaded) throw new GatewayError("store_unavailable", "The teams are not loaded yet.");
      throw refused(`The token names the team ${JSON.stringify(claims.team.slice(0, 80))}, which does not exist here.`);
    }
    if (team?.disabled) throw refused("The team the token names is disabled.");
    if (this.#disabledUsers.has(claims.user)) throw refused("The account the token names is disabled.");
    const principal = principalOfToken(claims, team);
    this.#tokenPrincipals.set(claims, principal);
    return principal;
  }
}
