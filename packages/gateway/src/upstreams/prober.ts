import type { Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { authHeaders } from "./auth/auth-headers.ts";
import type { Transport } from "./transport.ts";

/** What a probe found. */
export type ProbeResult = "ready" | "loading" | "unreachable";

export interface ProberDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1): spreads probes so that many gateways do not ask at once. */
  readonly fraction: () => number;
  /** Monotonic time of the last request the upstream served, which makes a probe needless. */
  readonly lastServedMs: (upstream: string) => number;
  /** Told after each probe; the next one waits for it. Must not reject. */
  readonly found: (upstream: Upstream, result: ProbeResult) => Promise<void>;
}

/**
 * Asks one upstream's health path once. Never rejects. A refused key still means that somebody answers there.
 * @see docs/spec/wire-formats.md 8.1
 */
export async function probe(
  upstream: Upstream,
  { transport, clock }: Pick<ProberDeps, "transport" | "clock">,
): Promise<ProbeResult> {
  const { health } = upstream;
  if (health === undefined) return "ready";
  const abort = new AbortController();
  const cancel = clock.after(health.timeoutMs, () => {
    abort.abort(new GatewayError("connect_timeout", `The health probe got no answer within ${health.timeoutMs} ms.`));
  });
  try {
    const response = await transport.send(upstream, {
      method: "GET",
      url: new URL(health.path, upstream.baseUrl).href,
      headers: {
        "user-agent": "fairlead",
        ...upstream.headers,
        ...health.headers,
        ...(health.authenticated ? authHeaders(upstream.auth) : {}),
      },
      signal: abort.signal,
    });
    await response.body?.cancel();
    return response.status === 503 ? "loading" : response.status >= 500 ? "unreachable" : "ready";
  } catch {
    return "unreachable";
  } finally {
    cancel();
  }
}

/** Probes upstreams in the background until `stop`; the first round starts at once. */
export class Prober {
  readonly #deps: ProberDeps;
  readonly #cancels = new Map<string, () => void>();
  #stopped = false;

  constructor(deps: ProberDeps) {
    this.#deps = deps;
  }

  start(upstreams: readonly Upstream[]): void {
    for (const upstream of upstreams) if (upstream.health !== undefined) void this.#round(upstream);
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  async #round(upstream: Upstream): Promise<void> {
    const { clock, fraction, lastServedMs, found } = this.#deps;
    const intervalMs = upstream.health?.intervalMs ?? 0;
    const lastMs = lastServedMs(upstream.name);
    // Real traffic answers the question better than a probe.
    const fresh = lastMs > 0 && clock.monotonicMs() - lastMs < intervalMs;
    if (!fresh) {
      const result = await probe(upstream, this.#deps);
      if (this.#stopped) return;
      await found(upstream, result);
    }
    const jitteredMs = intervalMs * (0.9 + 0.2 * fraction());
    this.#cancels.set(
      upstream.name,
      clock.after(jitteredMs, () => void this.#round(upstream)),
    );
  }
}
