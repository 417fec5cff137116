import type { VirtualClock } from "./virtual-clock.ts";
import type { SimulatedRequest } from "./workload.ts";

/** How an upstream behaves. */
export interface EngineTraits {
  readonly name: string;
  readonly slots: number;
  readonly prefillTokensPerSecond: number;
  /** Of one stream that is alone. */
  readonly decodeTokensPerSecond: number;
  /** Each further stream slows all by so much: speed = alone / (1 + slowdown × others). */
  readonly slowdown: number;
  readonly cacheTokens: number;
  /** On the network, before the engine has the request. */
  readonly networkMs: number;
}

/** Told as a client of the engine sees it. */
export interface Listener {
  firstToken(): void;
  end(): void;
}

interface Job {
  readonly request: SimulatedRequest;
  readonly listener: Listener;
  /** The decode clock's reading at which its last token comes. */
  endsAt: number;
}

/**
 * A self-hosted engine on a virtual clock: a queue in order of arrival for a fixed number of slots; prompts are read one after
 * another at a fixed speed, but for what the prefix cache holds; streams share the decoder and slow each other.
 */
export class SimulatedEngine {
  readonly traits: EngineTraits;
  readonly #clock: VirtualClock;
  readonly #queue: Job[] = [];
  readonly #prefilling: Job[] = [];
  readonly #decoding = new Set<Job>();
  /** Cached tokens by prefix, least recently used first. */
  readonly #cache = new Map<string, number>();
  #cachedTokens = 0;
  /** Tokens each stream has got since the engine began. */
  #decoded = 0;
  #decodedAtMs = 0;
  #cancelNext = (): void => {};
  hitTokens = 0;
  promptTokens = 0;

  constructor(traits: EngineTraits, clock: VirtualClock) {
    this.traits = traits;
    this.#clock = clock;
  }

  get running(): number {
    return this.#prefilling.length + this.#decoding.size;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  send(request: SimulatedRequest, listener: Listener): void {
    this.#clock.after(this.traits.networkMs, () => {
      this.#queue.push({ request, listener, endsAt: 0 });
      this.#fillSlots();
    });
  }

  #fillSlots(): void {
    while (this.running < this.traits.slots) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      this.#prefilling.push(job);
      if (this.#prefilling.length === 1) this.#prefillNext();
    }
  }

  #prefillNext(): void {
    const job = this.#prefilling[0];
    if (job === undefined) return;
    const { request } = job;
    const hit = this.#cached(request);
    this.hitTokens += hit;
    this.promptTokens += request.promptTokens;
    const ms = ((request.promptTokens - hit) / this.traits.prefillTokensPerSecond) * 1_000;
    this.#clock.after(ms + 1_000 / this.traits.decodeTokensPerSecond, () => {
      this.#prefilling.shift();
      this.#remember(request, request.promptTokens);
      this.#advance();
      job.endsAt = this.#decoded + request.outputTokens - 1;
      this.#decoding.add(job);
      job.listener.firstToken();
      this.#schedule();
      this.#prefillNext();
    });
  }

  #cached(request: SimulatedRequest): number {
    const own = this.#cache.get(`c${request.conversation}`);
    return Math.min(own ?? this.#cache.get(`s${request.system}`) ?? 0, request.promptTokens - 1);
  }

  #remember(request: SimulatedRequest, tokens: number): void {
    this.#put(`s${request.system}`, request.systemTokens);
    this.#put(`c${request.conversation}`, tokens);
    for (const [key, cached] of this.#cache) {
      if (this.#cachedTokens <= this.traits.cacheTokens) return;
      this.#cache.delete(key);
      this.#cachedTokens -= cached;
    }
  }

  #put(key: string, tokens: number): void {
    this.#cachedTokens += tokens - (this.#cache.get(key) ?? 0);
    this.#cache.delete(key);
    this.#cache.set(key, tokens);
  }

  get #tokensPerMs(): number {
    const { decodeTokensPerSecond, slowdown } = this.traits;
    return decodeTokensPerSecond / 1_000 / (1 + slowdown * Math.max(0, this.#decoding.size - 1));
  }

  /** Lets the decode clock catch up with time. */
  #advance(): void {
    this.#decoded += (this.#clock.nowMs - this.#decodedAtMs) * this.#tokensPerMs;
    this.#decodedAtMs = this.#clock.nowMs;
  }

  #schedule(): void {
    this.#cancelNext();
    let next: Job | undefined;
    for (const job of this.#decoding) if (next === undefined || job.endsAt < next.endsAt) next = job;
    if (next === undefined) return;
    const job = next;
    const ms = Math.max(0, job.endsAt - this.#decoded) / this.#tokensPerMs;
    this.#cancelNext = this.#clock.after(ms, () => {
      this.#advance();
      this.#decoding.delete(job);
      const { request } = job;
      this.#remember(request, request.promptTokens + request.outputTokens);
      job.listener.end();
      this.#schedule();
      this.#fillSlots();
    });
  }
}
