import type { ServerConfig } from "@fairlead/contract/config-schema";
import { defaultTranslationPolicy } from "./codecs/codec.ts";
import { isLoopback } from "./config/check-bind.ts";
import type { Budget, RateLimit } from "./core/budget.ts";
import type { Upstream } from "./core/deployment.ts";
import { GatewayError } from "./core/errors.ts";
import type { Exchange } from "./core/exchange.ts";
import type { AttemptLimits, BreakerLimits, Catalogue } from "./core/gateway-model.ts";
import type { KeyStore } from "./keys/key-store.ts";
import type { CounterStore } from "./ledger/counter-store.ts";
import type { LedgerStore } from "./ledger/ledger-store.ts";
import { OutputPredictor } from "./ledger/output-predictor.ts";
import { emptyPriceBook, type PriceBook } from "./ledger/price-book.ts";
import { type Clock, systemClock } from "./lib/clock.ts";
import { type Randomness, systemRandomness } from "./lib/ids.ts";
import type { AdmissionDeps } from "./policy/admission.ts";
import { BudgetBook } from "./policy/budget-book.ts";
import { BudgetWatch } from "./policy/budget-watch.ts";
import { RateLimitBook } from "./policy/rate-limit-book.ts";
import { LiveState } from "./routing/live-state.ts";
import { dataPlane } from "./server/data-plane.ts";
import { PrometheusSink } from "./sinks/prometheus/prometheus-sink.ts";
import { MemoryCounterStore } from "./stores/memory/memory-counter-store.ts";
import { MemoryLedgerStore } from "./stores/memory/memory-ledger-store.ts";
import type { Sink } from "./telemetry/sink.ts";
import { type ProbeResult, Prober } from "./upstreams/prober.ts";
import { adoptServedModel } from "./upstreams/served-model.ts";
import { FetchTransport, type Transport } from "./upstreams/transport.ts";

/** Everything a gateway is made of: the resolved config, and ports that tests or later stores replace. */
export interface GatewayParts {
  readonly server: ServerConfig;
  readonly upstreams: readonly Upstream[];
  readonly catalogue: Catalogue;
  readonly attemptLimits: AttemptLimits;
  readonly breakerLimits: BreakerLimits;
  readonly keys: KeyStore;
  readonly sinks?: readonly Sink[];
  readonly ledger?: LedgerStore;
  readonly prices?: PriceBook;
  readonly budgets?: readonly Budget[];
  readonly limits?: readonly RateLimit[];
  readonly pricing?: Pick<AdmissionDeps, "reserve" | "unpriced">;
  readonly counters?: CounterStore;
  readonly transport?: Transport;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

export interface Gateway {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly live: LiveState;
  /** Readiness goes off; requests are still served. */
  startDraining(): void;
  /** Ends every running exchange with the error `draining`. */
  interrupt(): void;
  /** Resolves when every exchange that began has settled. */
  idle(): Promise<void>;
  /** Stops background work and writes out what is queued. Call it after the last request. */
  close(): Promise<void>;
}

/** Wires a gateway: no decision is taken here. */
export function buildGateway(parts: GatewayParts): Gateway {
  const clock = parts.clock ?? systemClock;
  const randomness = parts.randomness ?? systemRandomness();
  const transport = parts.transport ?? new FetchTransport();
  const ledger = parts.ledger ?? new MemoryLedgerStore();
  const live = new LiveState(parts.breakerLimits);
  const metrics = new PrometheusSink();
  const sinks: readonly Sink[] = [metrics, ...(parts.sinks ?? [])];
  const prices = parts.prices ?? emptyPriceBook;
  const admission: AdmissionDeps = {
    counters: parts.counters ?? new MemoryCounterStore(),
    budgets: new BudgetBook(parts.budgets),
    limits: new RateLimitBook(parts.limits),
    prices,
    predictor: new OutputPredictor(),
    watch: new BudgetWatch((notice) => {
      for (const sink of sinks) sink.budgetReached?.(notice);
    }),
    reserve: parts.pricing?.reserve ?? "predicted",
    unpriced: parts.pricing?.unpriced ?? "refuse",
  };
  const open = new Map<Exchange, Promise<unknown>>();
  let draining = false;

  const prober = new Prober({
    transport,
    clock,
    fraction: randomness.fraction,
    lastServedMs: (upstream) => live.lastServedMs(upstream),
    async found(upstream, result) {
      const { deployments } = parts.catalogue;
      if (result === "ready") await adoptServedModel(upstream, { transport, clock, deployments });
      noteProbe(live, upstream, result, clock);
    },
  });
  prober.start(parts.upstreams);

  const { server } = parts;
  const app = dataPlane({
    chat: {
      catalogue: parts.catalogue,
      keys: parts.keys,
      admission,
      accounts: { ledger, sinks, prices },
      transport,
      live,
      instanceId: randomness.id(),
      limits: parts.attemptLimits,
      policy: defaultTranslationPolicy,
      randomness,
      isLoopbackBind: isLoopback(server.host),
      keepAliveMs: server.keepAliveMs,
      commitGraceMs: server.commitGraceMs,
    },
    clock,
    randomness,
    limits: server,
    metrics,
    draining: () => draining,
    track(exchange, settled) {
      open.set(exchange, settled);
      void settled.finally(() => open.delete(exchange));
    },
  });

  return {
    fetch: (request) => app.fetch(request),
    live,
    startDraining() {
      draining = true;
    },
    interrupt() {
      for (const exchange of open.keys()) {
        exchange.client.hangUp(new GatewayError("draining", "This gateway is shutting down."));
      }
    },
    async idle() {
      while (open.size > 0) await Promise.allSettled(open.values());
    },
    async close() {
      prober.stop();
      await ledger.flush();
      await ledger.close();
      for (const sink of sinks) await sink.close();
      transport.close();
    },
  };
}

function noteProbe(live: LiveState, upstream: Upstream, result: ProbeResult, clock: Clock): void {
  switch (result) {
    case "ready":
      live.markReady(upstream.name, clock.monotonicMs());
      return;
    case "loading":
      live.markCold(upstream.name, clock.monotonicMs());
      return;
    case "unreachable":
      live.markUnreachable(upstream.name);
      return;
  }
}
