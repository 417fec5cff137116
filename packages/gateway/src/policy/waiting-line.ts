interface Place<T> {
  readonly value: T;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
}

/** A line that is left at its front, and at any place by whoever gives up; each at constant cost. */
export class WaitingLine<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  get last(): T | undefined {
    return this.#last?.value;
  }

  /** The returned function takes the value out; only its first call counts. */
  join(value: T): () => void {
    const place: Place<T> = { value, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#length++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (place.before === undefined) this.#first = place.after;
      else place.before.after = place.after;
      if (place.after === undefined) this.#last = place.before;
      else place.after.before = place.before;
      this.#length--;
    };
  }
}
