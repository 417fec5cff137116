import { expect, test } from "bun:test";
import { type MetricsSnapshot, metricsText, sumMetrics } from "../sinks/prometheus/sum-metrics.ts";
import { WorkerMetrics } from "./worker-metrics.ts";

const snapshot = (requests: number, ratio: number, running: number): MetricsSnapshot => [
  { name: "requests", help: "r", type: "counter", values: [{ value: requests, labels: { target: "a" } }] },
  { name: "ratio", help: "b", type: "gauge", aggregator: "max", values: [{ value: ratio, labels: { scope: "day" } }] },
  { name: "running", help: "g", type: "gauge", values: [{ value: running, labels: {} }] },
  {
    name: "seconds",
    help: "h",
    type: "histogram",
    values: [
      { value: requests, labels: { le: 1 }, sharedLabels: { target: "a" }, metricName: "seconds_bucket" },
      { value: requests, labels: {}, sharedLabels: { target: "a" }, metricName: "seconds_count" },
    ],
  },
];

test("counts and states of several are sums, but for what is one for all", async () => {
  const text = await metricsText(sumMetrics([snapshot(2, 0.5, 1), snapshot(3, 0.4, 2)]));
  expect(text).toContain('requests{target="a"} 5');
  expect(text).toContain('ratio{scope="day"} 0.5');
  expect(text).toContain("running 3");
  expect(text).toContain('seconds_bucket{target="a",le="1"} 5');
  expect(text).toContain('seconds_count{target="a"} 5');
});

test("what a worker counted stays when it is gone, and while it is silent; its states do not", async () => {
  const metrics = new WorkerMetrics<string>();
  metrics.note("a", snapshot(2, 0.5, 1));
  expect(metrics.note("a", undefined)).toEqual(snapshot(2, 0.5, 1));
  metrics.gone("a");
  metrics.note("b", snapshot(3, 0.5, 1));
  metrics.gone("b");
  metrics.gone("b");
  const text = await metricsText(metrics.left);
  expect(text).toContain('requests{target="a"} 5');
  expect(text).not.toContain("ratio");
  expect(text).not.toContain("running");
});
