import type { RoutingReason } from "@fairlead/contract/names";
import { priorities } from "@fairlead/contract/resilience-schema";
import type { Budget, BudgetNotice } from "../../core/budget.ts";
import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { BudgetStatus } from "../../ledger/budget-status.ts";
import { type OverloadGate, refusalReasons } from "../../policy/overload-gate.ts";
import type { Sink } from "../../telemetry/sink.ts";
import { Counter, Gauge, Histogram, Registry } from "./client.ts";
import { type MetricsSnapshot, metricsText, sumMetrics } from "./sum-metrics.ts";

/** Seconds; from fast answers to long generations. */
const durationBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Seconds of the gateway's own work. */
const overheadBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25];

const type = { local: "cluster", cloud: "external" } as const;
const none = "none";

/** What `server/body-memory` tells. */
interface BodyGauge {
  readonly held: number;
  readonly refused: number;
}

interface Series {
  readonly requests: { inc(): void };
  readonly duration: { observe(seconds: number): void };
  readonly decisions: { inc(): void } | undefined;
}

/** Counts settled exchanges for `/metrics`. Labels hold only configured names and closed lists, so they are bounded. */
export class PrometheusSink implements Sink {
  readonly name = "prometheus";
  readonly #registry = new Registry();
  readonly #series = new Map<string, Series>();
  #together: ((own: MetricsSnapshot) => Promise<readonly MetricsSnapshot[]>) | undefined;
  readonly #requests = new Counter({
    name: "llm_router_requests_total",
    help: "Chat requests by the upstream that served them and the HTTP status.",
    labelNames: ["target", "status"] as const,
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: "llm_router_request_duration_seconds",
    help: "From a request's arrival to its last byte.",
    labelNames: ["target"] as const,
    buckets: durationBuckets,
    registers: [this.#registry],
  });
  readonly #decisions = new Counter({
    name: "llm_router_routing_decisions_total",
    help: "Routing decisions by serving upstream, placement type and reason.",
    labelNames: ["target", "type", "reason"] as const,
    registers: [this.#registry],
  });
  readonly #fallbacks = new Counter({
    name: "llm_router_fallbacks_total",
    help: "Requests that another upstream served than the one first chosen.",
    labelNames: ["from", "to", "reason"] as const,
    registers: [this.#registry],
  });
  readonly #hedges = new Counter({
    name: "llm_router_hedges_total",
    help: "Requests for which a second upstream was started beside a late one, by the upstream that answered.",
    labelNames: ["target", "won"] as const,
    registers: [this.#registry],
  });
  readonly #continuations = new Counter({
    name: "llm_router_continuations_total",
    help: "Streams that another upstream went on with after they broke off.",
    labelNames: ["target"] as const,
    registers: [this.#registry],
  });
  readonly #overhead = new Histogram({
    name: "llm_router_overhead_seconds",
    help: "The gateway's own time before an answer's headers.",
    buckets: overheadBuckets,
    registers: [this.#registry],
  });

  readonly #notices = new Counter({
    name: "llm_router_budget_notices_total",
    help: "Times a budget's spending reached one of its thresholds.",
    labelNames: ["budget", "threshold"] as const,
    registers: [this.#registry],
  });

  /** Shows where budgets stand, asked at each scrape. */
  watchBudgets(status: BudgetStatus, all: () => readonly Budget[]): void {
    new Gauge({
      name: "llm_router_budget_used_ratio",
      help: "Spent and held money of a budget's window as a share of its limit.",
      labelNames: ["scope"] as const,
      aggregator: "max",
      registers: [this.#registry],
      async collect() {
        this.reset();
        for (const { id, name, limit } of all()) {
          const position = await status.position(id);
          if (position !== undefined && limit > 0) this.set({ scope: name }, (position.spent + position.held) / limit);
        }
      },
    });
  }

  /** Shows how full the gateway itself is, asked at each scrape. */
  watchOverload(gate: OverloadGate, bodies: BodyGauge): void {
    const registers = [this.#registry];
    this.watch("llm_router_requests_in_flight", "Chat requests that are served now.", () => gate.running);
    this.watch("llm_router_buffered_body_bytes", "Request bodies held in memory now.", () => bodies.held);
    new Gauge({
      name: "llm_router_queue_length",
      help: "Chat requests that wait until others end.",
      labelNames: ["priority"] as const,
      registers,
      collect() {
        for (const priority of priorities) this.set({ priority }, gate.waiting(priority));
      },
    });
    new Counter({
      name: "llm_router_rejected_total",
      help: "Requests that were answered with 503 because the gateway was full.",
      labelNames: ["reason"] as const,
      registers,
      collect() {
        this.reset();
        for (const reason of refusalReasons) this.inc({ reason }, gate.refused[reason]);
        this.inc({ reason: "body_memory" }, bodies.refused);
      },
    });
  }

  /** Shows how many requests want each self-hosted model now, 0 included, asked at each scrape. */
  watchDemand(read: () => ReadonlyMap<string, number>): void {
    new Gauge({
      name: "llm_router_demand",
      help: "Requests that want a self-hosted model now, also while it is cold.",
      labelNames: ["model"] as const,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [model, demand] of read()) this.set({ model }, demand);
      },
    });
  }

  /** Shows a number that something else keeps, asked at each scrape. `together`: what it is for several processes. */
  watch(name: string, help: string, read: () => number, together: "sum" | "min" | "max" = "sum"): void {
    new Gauge({
      name,
      help,
      aggregator: together,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** Shows the sizes of what a gateway keeps in memory, by kind, asked at each scrape. */
  watchSizes(read: () => Readonly<Record<string, number>>): void {
    new Gauge({
      name: "llm_router_state_entries",
      help: "Things kept in memory, by kind: each is bounded, and those of requests are gone when nothing runs.",
      labelNames: ["kind"] as const,
      registers: [this.#registry],
      collect() {
        for (const [kind, size] of Object.entries(read())) this.set({ kind }, size);
      },
    });
  }

  budgetReached({ budget, threshold }: BudgetNotice): void {
    this.#notices.inc({ budget: budget.name, threshold: String(threshold) });
  }

  exchangeSettled(record: ExchangeRecord): void {
    const target = record.served?.upstream ?? none;
    const placement = record.served === undefined ? none : type[record.served.placement];
    const series = this.#seriesOf(target, placement, record.status, record.reason);
    series.requests.inc();
    series.duration.observe(record.durationMs / 1000);
    series.decisions?.inc();
    this.#overhead.observe(record.overheadMs / 1000);
    const { fallback, routing, attempts } = record;
    if (routing?.hedge !== undefined) this.#hedges.inc({ target, won: String(routing.hedge === attempts.length - 1) });
    for (const index of routing?.continued ?? []) {
      this.#continuations.inc({ target: attempts[index]?.upstream ?? none });
    }
    if (fallback !== undefined) {
      const from = fallback.from.slice(0, fallback.from.indexOf("/"));
      this.#fallbacks.inc({ from, to: target, reason: fallback.why });
    }
  }

  /** Finding a series by its labels costs more than counting in it. */
  #seriesOf(target: string, placement: string, status: number, reason: RoutingReason | undefined): Series {
    const key = `${target} ${status} ${reason ?? ""}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = {
        requests: this.#requests.labels({ target, status: String(status) }),
        duration: this.#duration.labels({ target }),
        decisions: reason && this.#decisions.labels({ target, type: placement, reason }),
      };
      this.#series.set(key, series);
    }
    return series;
  }

  operatorAlert(): void {}

  async close(): Promise<void> {}

  /** The exposition text and its content type. */
  async scrape(): Promise<{ body: string; contentType: string }> {
    const { contentType } = this.#registry;
    if (this.#together === undefined) return { body: await this.#registry.metrics(), contentType };
    const all = await this.#together(await this.snapshot());
    return { body: await metricsText(sumMetrics(all)), contentType };
  }

  /** What `scrape` shows of this process alone, as plain data. */
  async snapshot(): Promise<MetricsSnapshot> {
    return (await this.#registry.getMetricsAsJSON()) as unknown as MetricsSnapshot;
  }

  /** From now on a scrape shows several processes as one. `gather` gets this one's snapshot and gives all. */
  showTogether(gather: (own: MetricsSnapshot) => Promise<readonly MetricsSnapshot[]>): void {
    this.#together = gather;
  }
}
