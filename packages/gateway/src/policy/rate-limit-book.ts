import type { RateLimit } from "../core/budget.ts";
import type { Principal } from "../core/principal.ts";

/** One limit that counts for one key, team or upstream, with the names of its accounts. */
export interface ActiveLimit {
  readonly limit: RateLimit;
  readonly requests: string;
  readonly tokens: string;
  readonly running: string;
}

/** Most owners of `*` limits whose accounts' names are kept at a time. */
const maxRemembered = 20_000;

/** All rate limits that hold now. Replaced as a whole; finding is synchronous, every request. */
export class RateLimitBook {
  #byScope: ReadonlyMap<string, readonly RateLimit[]> = new Map();
  readonly #found = new Map<string, readonly ActiveLimit[]>();
  #ofClient = new WeakMap<Principal, readonly ActiveLimit[]>();

  constructor(limits: readonly RateLimit[] = []) {
    this.replace(limits);
  }

  replace(limits: readonly RateLimit[]): void {
    this.#found.clear();
    this.#ofClient = new WeakMap();
    this.#byScope = Map.groupBy(limits, ({ scope }) => `${scope.kind}:${scope.value}`);
  }

  /** The limits of a client: its key's, its team's, and those of each key and team. */
  ofClient(principal: Principal): readonly ActiveLimit[] {
    if (this.#byScope.size === 0) return none;
    let found = this.#ofClient.get(principal);
    if (found === undefined) {
      const { keyId = "anonymous", keyName, team } = principal;
      found = this.#find("key", keyId, keyName);
      if (team !== undefined) found = [...found, ...this.#find("team", team, undefined)];
      this.#ofClient.set(principal, found);
    }
    return found;
  }

  ofUpstream(name: string): readonly ActiveLimit[] {
    return this.#byScope.size === 0 ? none : this.#find("upstream", name, undefined);
  }

  #find(kind: RateLimit["scope"]["kind"], id: string, name: string | undefined): readonly ActiveLimit[] {
    const owner = `${kind}:${id}`;
    const known = this.#found.get(owner);
    if (known !== undefined) return known;
    const names = new Set([id, ...(name === undefined ? [] : [name]), "*"]);
    const active = [...names]
      .flatMap((value) => this.#byScope.get(`${kind}:${value}`) ?? [])
      .map((limit): ActiveLimit => {
        const account = `limit:${limit.id}:${id}`;
        return {
          limit,
          requests: `${account}:requests`,
          tokens: `${account}:tokens`,
          running: `${account}:running`,
        };
      });
    if (this.#found.size >= maxRemembered) this.#found.clear();
    this.#found.set(owner, active);
    return active;
  }
}

const none: readonly ActiveLimit[] = [];
