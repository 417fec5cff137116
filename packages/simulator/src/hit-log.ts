import type { Difference } from "./expectation.ts";
import type { Json } from "./json.ts";

/** One request as the simulator saw it; times are milliseconds on the simulator's monotonic clock. */
export interface Hit {
  readonly id: string;
  readonly index: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Lower-case names; credentials are replaced by `sha256:` and eight digits. */
  readonly headers: Readonly<Record<string, string>>;
  body: Json | null;
  model: string | null;
  stream: boolean;
  readonly startedAt: number;
  firstByteAt: number | null;
  endedAt: number | null;
  status: number | null;
  bytesSent: number;
  tokensProduced: number;
  aborted: boolean;
  abortedAt: number | null;
  fault: string | null;
  differences: readonly Difference[] | null;
}

interface Waiter {
  readonly accepts: (hit: Hit) => boolean;
  readonly resolve: (hit: Hit) => void;
}

const MAX_BODY_CHARS = 256 * 1024;
const MAX_KEPT_CHARS = 32 * 1024 * 1024;

/** A bounded ring of hits that wakes waiters on every change. */
export class HitLog {
  readonly #capacity: number;
  readonly #waiters = new Set<Waiter>();
  readonly #bodyChars = new WeakMap<Hit, number>();
  #hits: Hit[] = [];
  #next = 0;
  #keptChars = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  list(): Hit[] {
    return [...this.#hits];
  }

  clear(): void {
    this.#hits = [];
    this.#keptChars = 0;
  }

  /** Opens a hit when the request head has arrived. */
  open(method: string, path: string, query: string, headers: Readonly<Record<string, string>>): Hit {
    const index = this.#next++;
    const hit: Hit = {
      id: `hit-${index}`,
      index,
      method,
      path,
      query,
      headers,
      body: null,
      model: null,
      stream: false,
      startedAt: performance.now(),
      firstByteAt: null,
      endedAt: null,
      status: null,
      bytesSent: 0,
      tokensProduced: 0,
      aborted: false,
      abortedAt: null,
      fault: null,
      differences: null,
    };
    this.#hits.push(hit);
    if (this.#hits.length > this.#capacity) this.#release(this.#hits.shift());
    return hit;
  }

  /** Keeps a parsed body, or a note of its size when it is large. */
  keepBody(hit: Hit, body: Json, chars: number): void {
    hit.body = chars > MAX_BODY_CHARS ? { $truncated: chars } : body;
    if (chars > MAX_BODY_CHARS) return;
    this.#bodyChars.set(hit, chars);
    this.#keptChars += chars;
    for (const old of this.#hits) {
      if (this.#keptChars <= MAX_KEPT_CHARS) break;
      if (old !== hit) this.#release(old);
    }
  }

  /** Tells waiters that a hit has changed. */
  changed(hit: Hit): void {
    for (const waiter of this.#waiters) {
      if (!waiter.accepts(hit)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(hit);
    }
  }

  /** Waits for a hit, past or coming, and resolves to null at the deadline or when the signal fires. */
  async waitFor(accepts: (hit: Hit) => boolean, timeoutMs: number, signal?: AbortSignal): Promise<Hit | null> {
    const known = this.#hits.find(accepts);
    if (known !== undefined) return known;
    if (signal?.aborted) return null;
    let resolve: (hit: Hit | null) => void = () => {};
    const promise = new Promise<Hit | null>((settle) => {
      resolve = settle;
    });
    const waiter: Waiter = { accepts, resolve: (hit) => resolve(hit) };
    const giveUp = () => resolve(null);
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#waiters.add(waiter);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      this.#waiters.delete(waiter);
    }
  }

  #release(hit: Hit | undefined): void {
    const chars = hit === undefined ? undefined : this.#bodyChars.get(hit);
    if (hit === undefined || chars === undefined) return;
    this.#bodyChars.delete(hit);
    this.#keptChars -= chars;
    hit.body = { $truncated: chars };
  }
}
