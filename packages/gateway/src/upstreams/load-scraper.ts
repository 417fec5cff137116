import type { Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { authHeaders } from "./auth/auth-headers.ts";
import { boundedGet, type GetFetch } from "./bounded-get.ts";
import type { Engine, EngineLoad, ProbeAnswer } from "./engines/engine.ts";
import { engines } from "./engines/registry.ts";
import type { Transport } from "./transport.ts";

export interface LoadScraperDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1): spreads scrapes so that many gateways do not ask at once. */
  readonly fraction: () => number;
  /** Told after each scrape that showed anything; `slots` is undefined where the engine does not tell. */
  readonly found: (upstream: Upstream, load: EngineLoad, slots: number | undefined) => void;
  /** Between two scrapes; 5,000 unless given. */
  readonly intervalMs?: number;
}

const usualIntervalMs = 5_000;
const timeoutMs = 2_000;
const maxBytes = 1_048_576;
/** How often the number of slots is asked again: it changes only when an engine is started anew. */
const slotsEveryMs = 60_000;

interface Scraped {
  readonly upstream: Upstream;
  readonly engine: Engine;
  readonly metricsPath: string;
  slots: number | undefined;
  /** Monotonic; undefined while nobody answered. */
  slotsAskedMs: number | undefined;
}

/**
 * Reads the metrics of self-hosted engines in the background until `stop`; the first round starts at once. One that does not
 * answer changes nothing: what it told before only ages.
 */
export class LoadScraper {
  readonly #deps: LoadScraperDeps;
  readonly #cancels = new Map<string, () => void>();
  readonly #abort = new AbortController();

  constructor(deps: LoadScraperDeps) {
    this.#deps = deps;
  }

  /** Upstreams that are not local, or whose engine has no metrics, are left alone. */
  start(upstreams: readonly Upstream[]): void {
    for (const upstream of upstreams) {
      const engine: Engine | undefined = upstream.engine && engines[upstream.engine];
      if (upstream.placement !== "local" || engine?.metricsPath === undefined) continue;
      const { metricsPath } = engine;
      void this.#round({ upstream, engine, metricsPath, slots: undefined, slotsAskedMs: undefined });
    }
  }

  stop(): void {
    this.#abort.abort(new GatewayError("draining", "The scraper was stopped."));
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  async #round(scraped: Scraped): Promise<void> {
    const { clock, fraction, found, intervalMs = usualIntervalMs } = this.#deps;
    await this.#askSlots(scraped);
    const metrics = await this.#get(scraped.upstream, scraped.metricsPath);
    if (this.#abort.signal.aborted) return;
    if (metrics?.status === 200 && typeof metrics.body === "string") {
      const load = scraped.engine.readLoad(metrics.body);
      const isEmpty = load.running === undefined && load.waiting === undefined && load.kvUsage === undefined;
      if (!isEmpty || scraped.slots !== undefined) found(scraped.upstream, load, scraped.slots);
    }
    const cancel = clock.after(intervalMs * (0.9 + 0.2 * fraction()), () => void this.#round(scraped));
    this.#cancels.set(scraped.upstream.name, cancel);
  }

  /** Asks what the engine's `slots` is read from; one that answered without telling any is not asked again. */
  async #askSlots(scraped: Scraped): Promise<void> {
    const { upstream, engine, slotsAskedMs } = scraped;
    const nowMs = this.#deps.clock.monotonicMs();
    if (slotsAskedMs !== undefined && (scraped.slots === undefined || nowMs - slotsAskedMs < slotsEveryMs)) return;
    const answers = new Map<string, ProbeAnswer>();
    for (const path of engine.paths) {
      const answer = await this.#get(upstream, path);
      if (answer === undefined) return;
      answers.set(path, answer);
    }
    scraped.slotsAskedMs = nowMs;
    scraped.slots = engine.slots(answers) ?? scraped.slots;
  }

  /** Undefined when nobody answered in time. */
  async #get(upstream: Upstream, path: string): Promise<ProbeAnswer | undefined> {
    const { transport, clock } = this.#deps;
    if (this.#abort.signal.aborted) return undefined;
    const abort = new AbortController();
    const stopped = (): void => abort.abort(this.#abort.signal.reason);
    this.#abort.signal.addEventListener("abort", stopped);
    const cancel = clock.after(timeoutMs, () => {
      abort.abort(new GatewayError("connect_timeout", `No metrics came within ${timeoutMs} ms.`));
    });
    const headers = { "user-agent": "fairlead", ...upstream.headers, ...authHeaders(upstream.auth) };
    const send: GetFetch = (url) => transport.send(upstream, { method: "GET", url, headers, signal: abort.signal });
    try {
      const url = new URL(path, upstream.baseUrl).href;
      const result = await boundedGet(send, url, { signal: abort.signal, maxBytes });
      return result.ok ? result.answer : undefined;
    } finally {
      cancel();
      this.#abort.signal.removeEventListener("abort", stopped);
    }
  }
}
