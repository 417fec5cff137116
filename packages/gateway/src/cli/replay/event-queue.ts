/** Things that happen at a time to come, earliest first; of equal times in the order they were put in. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #added = 0;

  get size(): number {
    return this.#heap.length;
  }

  add(atMs: number, happen: () => void): void {
    const heap = this.#heap;
    let at = heap.push({ atMs, turn: this.#added++, happen }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) return;
      swap(heap, at, parent);
      at = parent;
    }
  }

  /** Lets happen what is due at this time or earlier, also what that adds. */
  run(untilMs: number): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return;
      this.#removeFirst();
      next.happen();
    }
  }

  /** Lets the earliest ones happen before their time where more than so many wait. */
  trim(most: number): void {
    while (this.#heap.length > most) {
      const next = this.#heap[0];
      this.#removeFirst();
      next?.happen();
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return;
      swap(heap, at, least);
      at = least;
    }
  }
}

interface Event {
  readonly atMs: number;
  readonly turn: number;
  readonly happen: () => void;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
}

function swap(heap: Event[], a: number, b: number): void {
  const kept = heap[a]!;
  heap[a] = heap[b]!;
  heap[b] = kept;
}
