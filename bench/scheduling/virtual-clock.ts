interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/** Virtual time: events in order of time, then of creation. Nothing waits for a real clock. */
export class VirtualClock {
  #nowMs = 0;
  #created = 0;
  /** A binary heap, the earliest first. */
  readonly #heap: Event[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The returned function cancels it. */
  at(atMs: number, fire: () => void): () => void {
    const event: Event = { atMs: Math.max(atMs, this.#nowMs), order: this.#created++, fire, cancelled: false };
    this.#heap.push(event);
    this.#up(this.#heap.length - 1);
    return () => {
      event.cancelled = true;
    };
  }

  after(ms: number, fire: () => void): () => void {
    return this.at(this.#nowMs + ms, fire);
  }

  /** Fires events up to this time; false when none is left. */
  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      if (next.cancelled) continue;
      this.#nowMs = next.atMs;
      next.fire();
    }
    this.#nowMs = endMs;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, at)) return;
      this.#swap(child, at);
      at = child;
    }
  }

  #up(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    if (left === undefined || right === undefined) return false;
    return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    if (left === undefined || right === undefined) return;
    this.#heap[a] = right;
    this.#heap[b] = left;
  }
}
