import type { RoutingReason } from "@fairlead/contract/names";

/** Exclusions that say how a target was at that moment, not what the request or a rule wanted. */
export const notReady: ReadonlySet<RoutingReason> = new Set<RoutingReason>([
  "local_cold",
  "local_down",
  "local_draining",
  "local_full",
  "cloud_down",
  "breaker_open",
  "rate_limited",
  "key_refused",
  "quota_exhausted",
  "model_missing",
]);
