/** Tells listeners, once, that somebody left: an abort signal without the price of an event target. */
export class Hangup<Reason> {
  #reason: Reason | undefined;
  readonly #listeners = new Set<(reason: Reason) => void>();

  /** Set as soon as somebody hung up. */
  get reason(): Reason | undefined {
    return this.#reason;
  }

  /** Calls `listener` when it happens, at once if it has; the returned function takes the listener away. */
  listen(listener: (reason: Reason) => void): () => void {
    if (this.#reason !== undefined) {
      listener(this.#reason);
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Only the first call counts. */
  hangUp(reason: Reason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }
}
