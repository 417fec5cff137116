/**
 * The load test as a k6 script. It is bundled first (`npm run load -- --k6` does that), so that k6 gets one file.
 * Environment: ROUTER_URL, ROUTER_API_KEY, LOAD_SCALE (1 is five minutes).
 */
import { check, sleep } from "k6";
import http from "k6/http";
import { Counter, Trend } from "k6/metrics";
import { backendOf, isFailure, latencyMetric, requestsMetric } from "./backend-metrics.ts";
import { loadOptions, pauseSeconds, requestTimeoutSeconds, scaleStages } from "./load-options.ts";
import { chatBody, promptOf } from "./prompts.ts";

/** Stages and thresholds, read by k6. */
export const options = scaleStages(loadOptions, Number(__ENV["LOAD_SCALE"] ?? "1"));

const endpoint = `${__ENV["ROUTER_URL"] ?? "http://127.0.0.1:8080"}/v1/chat/completions`;
const headers = {
  "content-type": "application/json",
  authorization: `Bearer ${__ENV["ROUTER_API_KEY"] || "any-key"}`,
};
const requests = { local: new Counter(requestsMetric.local), cloud: new Counter(requestsMetric.cloud) };
const latency = { local: new Trend(latencyMetric.local, true), cloud: new Trend(latencyMetric.cloud, true) };

/** One request of one user; k6 calls it in a loop. */
export default function request(): void {
  const response = http.post(endpoint, chatBody(promptOf(__VU, __ITER)), {
    headers,
    timeout: `${requestTimeoutSeconds}s`,
  });
  const backend = backendOf(response.headers);
  check(response, {
    answered: () => !isFailure(response.status),
    "says where it was served": () => backend !== undefined,
  });
  if (backend !== undefined && !isFailure(response.status)) {
    requests[backend].add(1);
    latency[backend].add(response.timings.duration);
  }
  sleep(pauseSeconds);
}
