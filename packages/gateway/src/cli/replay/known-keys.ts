import type { RecordedRequest } from "./recorded-request.ts";

/** The longest unused leaves first. */
const mostKeys = 10_000;

/**
 * What the record tells of the models that each key may use: nobody records the list itself, but each decision names the
 * targets that it left out because of the key.
 */
export class KnownKeys {
  readonly #refused = new Map<string, Set<string>>();

  /** Targets that the request's key may not use, as far as anything told so far. */
  refusedTo({ key, exclusions, order }: RecordedRequest): ReadonlySet<string> {
    const told = exclusions.filter(({ reason }) => reason === "key_not_allowed").map(({ target }) => target);
    if (key.id === "") return new Set(told);
    const before = this.#refused.get(key.id);
    if (before === undefined && told.length === 0) return none;
    const refused = before ?? new Set<string>();
    for (const target of told) refused.add(target);
    // The key may have been changed meanwhile.
    for (const target of order) refused.delete(target);
    this.#refused.delete(key.id);
    this.#refused.set(key.id, refused);
    if (this.#refused.size > mostKeys) this.#refused.delete(this.#refused.keys().next().value ?? key.id);
    return refused;
  }
}

const none: ReadonlySet<string> = new Set();
