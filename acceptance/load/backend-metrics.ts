/** Where the gateway says a request was served. */
export type Backend = "local" | "cloud";

/** Header that tells the backend. k6 and HTTP/1.1 servers spell headers differently, so it is looked up in any case. */
const backendHeader = "x-router-backend";

/** Counter of the requests each backend served. */
export const requestsMetric = { local: "router_local_requests", cloud: "router_cloud_requests" } as const;
/** Trend of the time each backend's answers took. */
export const latencyMetric = { local: "router_local_latency_ms", cloud: "router_cloud_latency_ms" } as const;

/** The backend a response names, or undefined when it names none. */
export function backendOf(headers: Readonly<Record<string, string>>): Backend | undefined {
  const name = Object.keys(headers).find((header) => header.toLowerCase() === backendHeader);
  const value = name === undefined ? undefined : headers[name]?.toLowerCase();
  return value === "local" || value === "cloud" ? value : undefined;
}

/** Statuses that k6 counts as failed by default, and a 0 for no answer at all. */
export function isFailure(status: number): boolean {
  return status < 200 || status >= 400;
}
