import type { Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { authHeaders } from "./auth/auth-headers.ts";
import { boundedGet, type GetFetch } from "./bounded-get.ts";
import type { Engine, EngineStatus, StatusPage } from "./engines/engine.ts";
import { engines } from "./engines/registry.ts";
import type { Transport } from "./transport.ts";

/** What a probe found. */
export interface ProbeResult {
  /** `loading` is also one that sleeps. */
  readonly health: "ready" | "loading" | "unreachable";
  /** What a server that is ready tells of its models, where it does. */
  readonly status?: EngineStatus | undefined;
}

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

/** What is read of a status page. */
const maxStatusBytes = 1_048_576;
/** Servers that have no such page: asking every time would only fill their logs. */
const withoutPage = new WeakSet<Upstream>();

/**
 * Asks one upstream's health path once, and its engine's status page where that is ready. Never rejects. A refused key still
 * means that somebody answers there.
 * @see docs/spec/wire-formats.md 8.1
 */
export async function probe(
  upstream: Upstream,
  { transport, clock }: Pick<ProberDeps, "transport" | "clock">,
): Promise<ProbeResult> {
  const { health } = upstream;
  if (health === undefined) return { health: "ready" };
  const abort = new AbortController();
  const cancel = clock.after(health.timeoutMs, () => {
    abort.abort(new GatewayError("connect_timeout", `The health probe got no answer within ${health.timeoutMs} ms.`));
  });
  const headers = {
    "user-agent": "fairlead",
    ...upstream.headers,
    ...health.headers,
    ...(health.authenticated ? authHeaders(upstream.auth) : {}),
  };
  const get: GetFetch = (url) => transport.send(upstream, { method: "GET", url, headers, signal: abort.signal });
  try {
    const response = await get(new URL(health.path, upstream.baseUrl).href, {});
    await response.body?.cancel();
    if (response.status === 503) return { health: "loading" };
    if (response.status >= 500) return { health: "unreachable" };
    const page = statusPageOf(upstream);
    if (page === undefined || withoutPage.has(upstream)) return { health: "ready" };
    const url = new URL(page.path, upstream.baseUrl).href;
    const result = await boundedGet(get, url, { signal: abort.signal, maxBytes: maxStatusBytes });
    if (result.ok && result.answer.status === 404) withoutPage.add(upstream);
    const status = result.ok ? page.read(result.answer) : undefined;
    return { health: status?.isAsleep === true ? "loading" : "ready", status };
  } catch {
    // It may come back as another version.
    withoutPage.delete(upstream);
    return { health: "unreachable" };
  } finally {
    cancel();
  }
}

/** Where an upstream of one's own tells more than its health. */
function statusPageOf({ engine, placement }: Upstream): StatusPage | undefined {
  const known: Engine | undefined = engine && engines[engine];
  return placement === "local" ? known?.statusPage : undefined;
}

/** Before the second probe of an upstream that is away; doubles up to its usual interval. */
const firstAwayMs = 1_000;

/** One upstream's turn. */
interface Turn {
  readonly upstream: Upstream;
  cancel: () => void;
  isAsking: boolean;
  /** Before the next probe, while it is away; undefined while it is there. */
  awayMs: number | undefined;
}

/** Probes upstreams in the background until `stop`; the first round starts at once. */
export class Prober {
  readonly #deps: ProberDeps;
  readonly #turns = new Map<string, Turn>();
  #stopped = false;

  constructor(deps: ProberDeps) {
    this.#deps = deps;
  }

  start(upstreams: readonly Upstream[]): void {
    for (const upstream of upstreams) {
      if (upstream.health === undefined) continue;
      const turn: Turn = { upstream, cancel: () => {}, isAsking: false, awayMs: undefined };
      this.#turns.set(upstream.name, turn);
      void this.#round(turn);
    }
  }

  /** A request found it away: whether it is back shall be known soon, however seldom it is probed otherwise. */
  hurry(upstream: string): void {
    const turn = this.#turns.get(upstream);
    if (turn === undefined || turn.isAsking || turn.awayMs !== undefined) return;
    turn.cancel();
    turn.awayMs = firstAwayMs;
    this.#wait(turn);
  }

  stop(): void {
    this.#stopped = true;
    for (const { cancel } of this.#turns.values()) cancel();
    this.#turns.clear();
  }

  async #round(turn: Turn): Promise<void> {
    const { clock, lastServedMs, found } = this.#deps;
    const { upstream } = turn;
    const intervalMs = upstream.health?.intervalMs ?? 0;
    const lastMs = lastServedMs(upstream.name);
    // Real traffic answers the question better than a probe, until it fails.
    const fresh = turn.awayMs === undefined && lastMs > 0 && clock.monotonicMs() - lastMs < intervalMs;
    if (!fresh) {
      turn.isAsking = true;
      const result = await probe(upstream, this.#deps);
      if (this.#stopped) return;
      await found(upstream, result);
      turn.isAsking = false;
      turn.awayMs =
        result.health === "unreachable" ? Math.min(intervalMs, 2 * (turn.awayMs ?? firstAwayMs / 2)) : undefined;
    }
    this.#wait(turn);
  }

  #wait(turn: Turn): void {
    if (this.#stopped) return;
    const { clock, fraction } = this.#deps;
    const usualMs = turn.upstream.health?.intervalMs ?? 0;
    const jitteredMs = Math.min(usualMs, turn.awayMs ?? usualMs) * (0.9 + 0.2 * fraction());
    turn.cancel = clock.after(jitteredMs, () => void this.#round(turn));
  }
}
