/** Samples of a Prometheus text exposition: metric name → one value per label set. */
export type MetricSamples = ReadonlyMap<string, readonly number[]>;

const sample = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{.*\})?[ \t]+(\S+)/;

/** Reads the named metrics out of a Prometheus text exposition; comments and malformed lines are skipped. */
export function readMetrics(text: string, wanted: readonly string[]): MetricSamples {
  const samples = new Map<string, number[]>();
  for (const line of text.split("\n")) {
    const match = sample.exec(line);
    if (match === null) continue;
    const [, name, raw] = match;
    if (name === undefined || !wanted.includes(name)) continue;
    const value = Number(raw);
    if (!Number.isFinite(value)) continue;
    const values = samples.get(name);
    if (values === undefined) samples.set(name, [value]);
    else values.push(value);
  }
  return samples;
}

/** Adds a metric over its label sets (one per data-parallel engine); undefined when it is absent. */
export function sumOf(samples: MetricSamples, name: string): number | undefined {
  return samples.get(name)?.reduce((total, value) => total + value, 0);
}

/** Returns a metric's largest label set; undefined when it is absent. */
export function maxOf(samples: MetricSamples, name: string): number | undefined {
  const values = samples.get(name);
  return values === undefined ? undefined : Math.max(...values);
}
