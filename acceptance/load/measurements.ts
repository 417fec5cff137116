import { type Backend, isFailure, latencyMetric, requestsMetric } from "./backend-metrics.ts";

/** One finished request. */
export interface Exchange {
  /** 0 when no answer came. */
  readonly status: number;
  readonly backend: Backend | undefined;
  readonly durationMs: number;
}

/** Figures of a trend. */
export interface TrendFigures {
  readonly count: number;
  readonly avg: number;
  readonly min: number;
  readonly med: number;
  readonly max: number;
  readonly p90: number;
  readonly p95: number;
}

/** A threshold and how it came out. */
export interface Verdict {
  readonly metric: string;
  readonly threshold: string;
  readonly observed: number;
  readonly passed: boolean;
}

/** The value below which the given part of the sorted samples lies, interpolated as k6 does; 0 without samples. */
export function percentile(sorted: readonly number[], percent: number): number {
  const position = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? below;
  return below + (above - below) * (position - Math.floor(position));
}

/** Collects what k6 would collect: built-in and own metrics of one run. */
export class Measurements {
  readonly #trends = new Map<string, number[]>([
    ["http_req_duration", []],
    [latencyMetric.local, []],
    [latencyMetric.cloud, []],
  ]);
  readonly #served = { local: 0, cloud: 0 };
  readonly #statuses = new Map<number, number>();
  #requests = 0;
  #failed = 0;

  add({ status, backend, durationMs }: Exchange): void {
    this.#requests++;
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    this.#trends.get("http_req_duration")?.push(durationMs);
    if (isFailure(status)) this.#failed++;
    else if (backend !== undefined) {
      this.#served[backend]++;
      this.#trends.get(latencyMetric[backend])?.push(durationMs);
    }
  }

  get requests(): number {
    return this.#requests;
  }

  /** How often each status came; 0 stands for no answer. */
  get statuses(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#statuses);
  }

  /** Requests served by each backend, by metric name. */
  get counters(): Readonly<Record<string, number>> {
    return { [requestsMetric.local]: this.#served.local, [requestsMetric.cloud]: this.#served.cloud };
  }

  get failedRate(): number {
    return this.#requests === 0 ? 0 : this.#failed / this.#requests;
  }

  /** Part of the served requests that stayed local; 0 when none was served. */
  get localShare(): number {
    const all = this.#served.local + this.#served.cloud;
    return all === 0 ? 0 : this.#served.local / all;
  }

  get trends(): Readonly<Record<string, TrendFigures>> {
    return Object.fromEntries([...this.#trends].map(([name, samples]) => [name, figures(samples)]));
  }

  /** Judges thresholds in k6's notation: `rate<0.01`, `p(95)<4000`. */
  judge(thresholds: Readonly<Record<string, readonly string[]>>): Verdict[] {
    return Object.entries(thresholds).flatMap(([metric, expressions]) =>
      expressions.map((threshold) => {
        const { aggregate, isBelow } = parseThreshold(threshold);
        const observed = this.#aggregate(metric, aggregate);
        return { metric, threshold, observed, passed: isBelow(observed) };
      }),
    );
  }

  #aggregate(metric: string, aggregate: string): number {
    if (metric === "http_req_failed" && aggregate === "rate") return this.failedRate;
    const samples = this.#trends.get(metric);
    const percent = /^p\((\d+(?:\.\d+)?)\)$/.exec(aggregate)?.[1];
    if (samples === undefined || percent === undefined) throw new Error(`${metric} has no figure "${aggregate}"`);
    return percentile(samples.toSorted(ascending), Number(percent));
  }
}

const ascending = (a: number, b: number): number => a - b;

function figures(samples: readonly number[]): TrendFigures {
  const sorted = samples.toSorted(ascending);
  const count = sorted.length;
  return {
    count,
    avg: count === 0 ? 0 : sorted.reduce((sum, value) => sum + value, 0) / count,
    min: sorted[0] ?? 0,
    med: percentile(sorted, 50),
    max: sorted.at(-1) ?? 0,
    p90: percentile(sorted, 90),
    p95: percentile(sorted, 95),
  };
}

function parseThreshold(text: string): { aggregate: string; isBelow: (value: number) => boolean } {
  const [, aggregate, limit] = /^\s*([a-z]+(?:\([\d.]+\))?)\s*<\s*(\d+(?:\.\d+)?)\s*$/.exec(text) ?? [];
  if (aggregate === undefined || limit === undefined) throw new Error(`"${text}" is not a threshold such as rate<0.01`);
  return { aggregate, isBelow: (value) => value < Number(limit) };
}
