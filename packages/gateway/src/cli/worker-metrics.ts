import { lastingMetrics, type MetricsSnapshot, sumMetrics } from "../sinks/prometheus/sum-metrics.ts";

/** What workers counted, as last seen: a count must never go down because a worker is slow, or gone. */
export class WorkerMetrics<T> {
  readonly #last = new Map<T, MetricsSnapshot>();
  #left: MetricsSnapshot = [];

  /** Counts of all workers that ended. */
  get left(): MetricsSnapshot {
    return this.#left;
  }

  /** Returns what is known of it: an answer that did not come changes nothing. */
  note(worker: T, answer: unknown): MetricsSnapshot | undefined {
    if (Array.isArray(answer)) this.#last.set(worker, answer as MetricsSnapshot);
    return this.#last.get(worker);
  }

  gone(worker: T): void {
    const last = this.#last.get(worker);
    this.#last.delete(worker);
    if (last !== undefined) this.#left = sumMetrics([this.#left, lastingMetrics(last)]);
  }
}
