/** One thing at a time, in the order asked; whoever is gone has it no more. */
export class WorkerLock<T> {
  #holder: T | undefined;
  #line: { readonly who: T; readonly grant: () => void }[] = [];

  /** Resolves when it is the asker's turn. */
  take(who: T): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#line.push({ who, grant: resolve });
    this.#next();
    return promise;
  }

  leave(who: T): void {
    if (this.#holder !== who) return;
    this.#holder = undefined;
    this.#next();
  }

  gone(who: T): void {
    this.#line = this.#line.filter((waiting) => waiting.who !== who);
    this.leave(who);
  }

  #next(): void {
    if (this.#holder !== undefined) return;
    const next = this.#line.shift();
    this.#holder = next?.who;
    next?.grant();
  }
}
