import type { ServerConfig } from "@fairlead/contract/config-schema";
import { defaultTranslationPolicy } from "./codecs/codec.ts";
import { isLoopback } from "./config/check-bind.ts";
import type { Budget, RateLimit } from "./core/budget.ts";
import type { Deployment, Upstream } from "./core/deployment.ts";
import { GatewayError } from "./core/errors.ts";
import type { Exchange } from "./core/exchange.ts";
import type { ExchangeRecord } from "./core/exchange-record.ts";
import type { AttemptLimits, BreakerLimits, Catalogue, Shadow } from "./core/gateway-model.ts";
import type { Price } from "./core/price.ts";
import type { KeyStore } from "./keys/key-store.ts";
import type { BudgetStatus } from "./ledger/budget-status.ts";
import type { CounterStore } from "./ledger/counter-store.ts";
import type { LedgerRow } from "./ledger/ledger-row.ts";
import type { LedgerStore } from "./ledger/ledger-store.ts";
import { OutputPredictor } from "./ledger/output-predictor.ts";
import { emptyPriceBook, type PriceBook } from "./ledger/price-book.ts";
import { SelfHostedMeter } from "./ledger/self-hosted-meter.ts";
import { type Clock, systemClock, waitingTimers } from "./lib/clock.ts";
import { type Randomness, systemRandomness } from "./lib/ids.ts";
import type { ChatDeps } from "./pipeline/handle-chat.ts";
import { noteProbe, noteUnprobed } from "./pipeline/note-probe.ts";
import { ShadowCopies } from "./pipeline/shadow-copies.ts";
import type { ShadowResults } from "./pipeline/shadow-tally.ts";
import type { AdmissionDeps } from "./policy/admission.ts";
import { budgetBalances } from "./policy/budget-balances.ts";
import { type ActiveBudget, BudgetBook } from "./policy/budget-book.ts";
import { BudgetWatch, noticeMark } from "./policy/budget-watch.ts";
import { OverloadGate } from "./policy/overload-gate.ts";
import { RateLimitBook } from "./policy/rate-limit-book.ts";
import { demandByModel } from "./routing/demand-by-model.ts";
import { LiveNews } from "./routing/live-news.ts";
import { LiveState } from "./routing/live-state.ts";
import { RoutingState } from "./routing/routing-state.ts";
import { TryBudgets } from "./routing/try-budgets.ts";
import { Waker } from "./routing/waker.ts";
import { BodyMemory } from "./server/body-memory.ts";
import { type AdminApi, type Connection, dataPlane } from "./server/data-plane.ts";
import { upstreamHealth } from "./server/upstream-health.ts";
import { PrometheusSink } from "./sinks/prometheus/prometheus-sink.ts";
import { MemoryCounterStore } from "./stores/memory/memory-counter-store.ts";
import { MemoryLedgerStore } from "./stores/memory/memory-ledger-store.ts";
import { DecisionRing } from "./telemetry/decision-ring.ts";
import { exchangeRecord } from "./telemetry/exchange-record.ts";
import type { Sink } from "./telemetry/sink.ts";
import { steadyAlerts } from "./telemetry/steady-alerts.ts";
import { LoadScraper } from "./upstreams/load-scraper.ts";
import { Prober, probe } from "./upstreams/prober.ts";
import { adoptServedModel } from "./upstreams/served-model.ts";
import { FetchTransport, type Transport } from "./upstreams/transport.ts";
import { callWakeHook } from "./upstreams/wake/call-wake-hook.ts";

/** What a config makes of a gateway, resolved. Immutable; a reload brings another. */
export interface Snapshot {
  readonly server: ServerConfig;
  readonly upstreams: readonly Upstream[];
  readonly catalogue: Catalogue;
  readonly attemptLimits: AttemptLimits;
  readonly breakerLimits: BreakerLimits;
  readonly prices?: PriceBook;
  readonly pricing?: Pick<AdmissionDeps, "reserve" | "unpriced">;
  readonly budgets?: readonly Budget[];
  readonly limits?: readonly RateLimit[];
  /** How many decisions are kept in memory; none unless given. */
  readonly keptDecisions?: number;
}

/** Everything a gateway is made of: the resolved config, and ports that tests or other stores replace. */
export interface GatewayParts extends Snapshot {
  readonly keys: KeyStore;
  readonly sinks?: readonly Sink[];
  readonly ledger?: LedgerStore;
  /** Looks up what the ledger keeps. */
  readonly findExchange?: ((id: string) => Promise<LedgerRow | undefined>) | undefined;
  readonly counters?: CounterStore;
  /** What other replicas are told and asked; undefined where this is the only one. */
  readonly replicas?: ReplicaNews | undefined;
  readonly meter?: SelfHostedMeter;
  readonly transport?: Transport;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
  readonly adminApi?: (gateway: GatewayViews) => AdminApi;
}

/** The ways between replicas. */
export interface ReplicaNews {
  readonly replica: string;
  /** Whether this replica is the first to come with this key within `ttlMs`; each is when nobody can tell. */
  first(key: string, ttlMs: number): Promise<boolean>;
  publish(text: string): void;
  onNews(listen: (text: string) => void): void;
}

/** What the admin API shows of a running gateway. */
export interface GatewayViews {
  readonly upstreams: () => unknown;
  /** Takes an upstream of one's own out of service, or back; false where there is none of this name. */
  readonly setDrained: (upstream: string, isDrained: boolean) => boolean;
  readonly catalogue: () => Catalogue;
  /** The price of a deployment now; undefined when unpriced. */
  readonly priceOf: (target: Deployment) => Price | undefined;
  readonly prices: () => PriceBook;
  readonly configured: () => { readonly budgets: readonly Budget[]; readonly limits: readonly RateLimit[] };
  readonly budgetStatus: BudgetStatus;
  /** What a shadow's copies showed since the process began. */
  readonly shadowResults: (shadow: Shadow) => ShadowResults;
  readonly alert: (error: GatewayError) => void;
}

/** Budgets and limits that the API made; they hold beside the config's. */
export interface StoredRules {
  readonly budgets: readonly Budget[];
  readonly limits: readonly RateLimit[];
}

export interface Gateway {
  readonly fetch: (request: Request, connection?: Connection) => Response | Promise<Response>;
  readonly live: LiveState;
  readonly metrics: PrometheusSink;
  readonly budgets: BudgetBook;
  readonly counters: CounterStore;
  readonly watch: BudgetWatch;
  /** A decision that is kept in memory, whoever asked for it; undefined when it is not. */
  findDecision(id: string): ExchangeRecord | undefined;
  /** What copies of the shadow of that name showed here; undefined when there is none. */
  shadowResults(name: string): ShadowResults | undefined;
  /** Puts another config in force. Requests that run keep theirs; breakers, counters and readiness stay. */
  apply(snapshot: Snapshot): void;
  /** Of the config in force. */
  server(): ServerConfig;
  setRules(rules: StoredRules): void;
  /** Called with budgets that begin to count, so that what was spent before is known, and with those that are gone. */
  onBudgets(listen: (added: readonly ActiveBudget[], gone: readonly ActiveBudget[]) => void): void;
  /** Readiness goes off; requests are still served. */
  startDraining(): void;
  /** Ends every running exchange with the error `draining`. */
  interrupt(): void;
  /** Resolves when every exchange that began has settled. */
  idle(): Promise<void>;
  /** Resolves when those that run now have settled, whatever begins meanwhile. */
  settledSoFar(): Promise<unknown>;
  readonly isBusy: boolean;
  /** Stops background work and writes out what is queued. Call it after the last request. */
  close(): Promise<void>;
}

/** Wires a gateway: no decision is taken here. */
export function buildGateway(parts: GatewayParts): Gateway {
  const clock = parts.clock ?? systemClock;
  const randomness = parts.randomness ?? systemRandomness();
  const transport = parts.transport ?? new FetchTransport();
  const ledger = parts.ledger ?? new MemoryLedgerStore();
  const counters = parts.counters ?? new MemoryCounterStore();
  // One object for all breakers, so that a reload reaches those that exist.
  const breakerLimits = { ...parts.breakerLimits };
  const live = new LiveState(breakerLimits);
  live.spillCap.setCap(parts.catalogue.spill?.maxUsdPerHour);
  const meter = parts.meter ?? new SelfHostedMeter([]);
  const { replicas } = parts;
  const budgets = new BudgetBook([], { oneForAll: replicas !== undefined });
  const metrics = new PrometheusSink();
  const sinks = steadyAlerts([metrics, ...(parts.sinks ?? [])], clock);
  const watch = new BudgetWatch((notice) => {
    const tell = (): void => {
      for (const sink of sinks) sink.budgetReached?.(notice);
    };
    if (replicas === undefined) return tell();
    const { key, ttlMs } = noticeMark(notice);
    void replicas.first(key, ttlMs).then((isFirst) => isFirst && tell());
  });
  const limits = new RateLimitBook();
  const gate = new OverloadGate(parts.server, clock);
  const bodies = new BodyMemory(parts.server.maxBufferedBytes);
  metrics.watchOverload(gate, bodies);
  const predictor = new OutputPredictor();
  const routing = new RoutingState(parts.catalogue);
  const decisions = new DecisionRing(parts.keptDecisions ?? 0);
  const tryBudgets = new TryBudgets();
  const alert = (error: GatewayError, exchangeId: string): void => {
    for (const sink of sinks) sink.operatorAlert(error, exchangeId);
  };
  const instanceId = randomness.id();
  const open = new Map<Exchange, Promise<unknown>>();
  const budgetListeners: ((added: readonly ActiveBudget[], gone: readonly ActiveBudget[]) => void)[] = [];
  let draining = false;
  let stored: StoredRules = { budgets: [], limits: [] };
  const track = (exchange: Exchange, settled: Promise<unknown>): void => {
    open.set(exchange, settled);
    void settled.finally(() => open.delete(exchange));
  };
  // The metrics count what clients asked: copies are in the log and the ledger.
  const shadows = new ShadowCopies({
    id: () => randomness.id(),
    fraction: () => randomness.fraction(),
    counters,
    sinks: parts.sinks ?? [],
    draining: () => draining,
    track,
  });

  let current: Snapshot = parts;
  const waker = new Waker({
    live,
    clock,
    fraction: () => randomness.fraction(),
    call: (action, target, wake, signal) => callWakeHook(action, target, wake, signal, { transport, clock }),
    async probe(upstream) {
      const result = await probe(upstream, { transport, clock });
      const { deployments } = current.catalogue;
      if (result.health === "ready") await adoptServedModel(upstream, { transport, clock, deployments });
      noteProbe(upstream, result, live, deployments, clock.monotonicMs());
    },
    alert(error) {
      for (const sink of sinks) sink.operatorAlert(error, "-");
    },
    singleFlight: replicas && ((key, ttlMs) => replicas.first(key, ttlMs)),
  });

  const chatDeps = (snapshot: Snapshot): ChatDeps => {
    const prices = snapshot.prices ?? emptyPriceBook;
    const { reserve = "predicted", unpriced = "refuse" } = snapshot.pricing ?? {};
    const { catalogue } = snapshot;
    return {
      catalogue,
      keys: parts.keys,
      deciding: { catalogue, live, routing, prices, predictor, randomness },
      admission: { counters, budgets, limits, prices, predictor, watch, reserve, unpriced },
      accounts: { ledger, sinks, prices, decisions },
      findExchange: parts.findExchange,
      shadows,
      transport,
      live,
      waker,
      meter,
      instanceId,
      limits: snapshot.attemptLimits,
      policy: defaultTranslationPolicy,
      budgets: tryBudgets,
      alert,
      randomness,
      isLoopbackBind: isLoopback(snapshot.server.host),
      gate,
      keepAliveMs: snapshot.server.keepAliveMs,
      commitGraceMs: snapshot.server.commitGraceMs,
      clientStallMs: snapshot.server.clientStallMs,
    };
  };
  const setBudgets = (snapshot: Snapshot): void => {
    const before = budgets.all;
    const known = new Set(before.map(({ account }) => account));
    budgets.replace([...(snapshot.budgets ?? []), ...stored.budgets]);
    limits.replace([...(snapshot.limits ?? []), ...stored.limits]);
    watch.sweep(budgets.all.map(({ budget }) => budget));
    const added = budgets.all.filter(({ account }) => !known.has(account));
    const kept = new Set(budgets.all.map(({ account }) => account));
    const gone = before.filter(({ account }) => !kept.has(account));
    if (added.length + gone.length > 0) for (const listen of budgetListeners) listen(added, gone);
  };
  const startScraper = ({ upstreams }: Snapshot): LoadScraper => {
    const scraper = new LoadScraper({
      transport,
      clock,
      fraction: randomness.fraction,
      found: ({ name }, load, slots) => live.noteLoad(name, load, slots, clock.monotonicMs()),
    });
    scraper.start(upstreams);
    return scraper;
  };
  const startProber = ({ upstreams, catalogue: { deployments } }: Snapshot): Prober => {
    const prober = new Prober({
      transport,
      clock,
      fraction: randomness.fraction,
      // Of the model that served least lately: what a server tells of each is asked for that one.
      lastServedMs: (upstream) =>
        Math.min(
          ...deployments.filter((each) => each.upstream.name === upstream).map((each) => live.lastServedMs(each)),
        ),
      async found(upstream, result) {
        if (result.health === "ready") await adoptServedModel(upstream, { transport, clock, deployments });
        noteProbe(upstream, result, live, deployments, clock.monotonicMs());
      },
    });
    for (const upstream of upstreams) noteUnprobed(upstream, live, deployments);
    prober.start(upstreams);
    return prober;
  };

  const budgetStatus = budgetBalances(budgets, counters, clock);
  metrics.watchSizes(() => ({
    exchanges: open.size,
    timers: waitingTimers(),
    conversations: live.conversations.size,
    decisions: decisions.size,
  }));
  metrics.watchBudgets(budgetStatus, () => budgets.all.map(({ budget }) => budget));

  let chat = chatDeps(current);
  let prober = startProber(current);
  live.onUnreachable = (upstream) => prober.hurry(upstream);
  let scraper = startScraper(current);
  waker.follow(current.catalogue.deployments);
  setBudgets(current);
  metrics.watchDemand(() => demandByModel(current.catalogue.deployments, live, clock.monotonicMs()));
  const deployments = (): readonly Deployment[] => current.catalogue.deployments;
  const news = replicas && new LiveNews({ ...replicas, live, clock, deployments });
  replicas?.onNews((text) => news?.receive(text));

  const views: GatewayViews = {
    upstreams: () => upstreamHealth(current.catalogue, live, clock),
    setDrained(name, isDrained) {
      const isKnown = current.upstreams.some((upstream) => upstream.name === name && upstream.placement === "local");
      if (isKnown) live.setDrained(name, isDrained);
      return isKnown;
    },
    catalogue: () => current.catalogue,
    priceOf: ({ upstream, model }) =>
      chat.accounts.prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, clock.now()),
    prices: () => chat.accounts.prices,
    configured: () => ({ budgets: current.budgets ?? [], limits: current.limits ?? [] }),
    budgetStatus,
    shadowResults: (shadow) => shadows.results(shadow),
    alert: (error) => alert(error, "-"),
  };
  const app = dataPlane({
    chat: () => chat,
    limits: () => current.server,
    bodies,
    clock,
    randomness,
    metrics,
    admin: parts.adminApi?.(views),
    draining: () => draining,
    track,
  });

  /**
   * While draining every answer is the last of its connection, so that clients go elsewhere before it is closed; and one
   * to a body that did not come, so that no more of it does.
   */
  const finish = (response: Response, connection: Connection): Response => {
    if (draining || response.status === 408) response.headers.set("connection", "close");
    // A stream's settlement says it.
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) connection.rest();
    return response;
  };

  return {
    fetch(request, connection = noConnection) {
      const answer = app.fetch(request, connection);
      return answer instanceof Promise
        ? answer.then((response) => finish(response, connection))
        : finish(answer, connection);
    },
    live,
    metrics,
    budgets,
    counters,
    watch,
    shadowResults(name) {
      const shadow = current.catalogue.shadows.find((found) => found.name === name);
      return shadow && shadows.results(shadow);
    },
    findDecision(id) {
      const kept = decisions.find(id);
      return kept?.kind === "running" ? exchangeRecord(kept.exchange, clock.monotonicMs(), undefined) : kept?.record;
    },
    apply(snapshot) {
      prober.stop();
      scraper.stop();
      current = snapshot;
      chat = chatDeps(snapshot);
      setBudgets(snapshot);
      gate.follow(snapshot.server);
      bodies.follow(snapshot.server.maxBufferedBytes);
      // What a breaker counted lies in steps of its window, which therefore stays.
      Object.assign(breakerLimits, snapshot.breakerLimits, { windowMs: breakerLimits.windowMs });
      live.sweep(snapshot.catalogue.deployments);
      tryBudgets.sweep(new Set(snapshot.upstreams.map(({ name }) => name)));
      waker.follow(snapshot.catalogue.deployments);
      live.spillCap.setCap(snapshot.catalogue.spill?.maxUsdPerHour);
      routing.follow(snapshot.catalogue);
      shadows.follow(snapshot.catalogue);
      decisions.resize(snapshot.keptDecisions ?? 0);
      prober = startProber(snapshot);
      scraper = startScraper(snapshot);
    },
    server: () => current.server,
    setRules(rules) {
      stored = rules;
      setBudgets(current);
    },
    onBudgets(listen) {
      budgetListeners.push(listen);
      if (budgets.all.length > 0) listen(budgets.all, []);
    },
    startDraining() {
      draining = true;
    },
    interrupt() {
      for (const exchange of open.keys()) {
        exchange.client.hangUp(new GatewayError("draining", "This gateway is shutting down."));
      }
    },
    settledSoFar: () => Promise.allSettled(open.values()),
    get isBusy() {
      return open.size > 0;
    },
    async idle() {
      while (open.size > 0) await Promise.allSettled(open.values());
    },
    async close() {
      news?.stop();
      prober.stop();
      scraper.stop();
      waker.stop();
      await ledger.flush();
      await ledger.close();
      for (const sink of sinks) await sink.close();
      transport.close();
    },
  };
}

const noConnection: Connection = { address: () => undefined, rest: () => {} };
