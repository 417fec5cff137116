import { Registry } from "./client.ts";

type Labels = Readonly<Record<string, string | number>>;

interface Value {
  readonly value: number;
  readonly labels: Labels;
  readonly metricName?: string;
  readonly sharedLabels?: Labels;
}

/** All that a registry holds, as plain data. */
export type MetricsSnapshot = readonly MetricSnapshot[];

export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator?: string;
  readonly values: readonly Value[];
}

const join: Readonly<Record<string, (a: number, b: number) => number>> = {
  max: Math.max,
  min: Math.min,
  sum: (a, b) => a + b,
};

/** One snapshot that stands for several processes: sums, but where a metric says that it is the same for all. */
export function sumMetrics(all: readonly MetricsSnapshot[]): MetricsSnapshot {
  const metrics = new Map<string, { first: MetricSnapshot; values: Map<string, Value> }>();
  for (const metric of all.flat()) {
    let found = metrics.get(metric.name);
    if (found === undefined) {
      found = { first: metric, values: new Map() };
      metrics.set(metric.name, found);
    }
    const together = join[metric.aggregator ?? "sum"] ?? ((a: number, b: number) => a + b);
    for (const given of metric.values) {
      const labels = { ...given.sharedLabels, ...given.labels };
      const { value, metricName } = given;
      const key = `${metricName ?? ""} ${JSON.stringify(Object.entries(labels).sort())}`;
      const known = found.values.get(key);
      const sum = known === undefined ? value : together(known.value, value);
      found.values.set(key, { labels, value: sum, ...(metricName !== undefined && { metricName }) });
    }
  }
  return [...metrics.values()].map(({ first, values }) => ({ ...first, values: [...values.values()] }));
}

/** What a process that ended leaves: counts stay counted, states are gone. */
export function lastingMetrics(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.filter(({ type }) => type === "counter" || type === "histogram");
}

/** The exposition text. */
export async function metricsText(snapshot: MetricsSnapshot): Promise<string> {
  const registry = new Registry();
  for (const metric of snapshot) {
    registry.registerMetric({ ...metric, get: async () => metric } as never);
  }
  return registry.metrics();
}
