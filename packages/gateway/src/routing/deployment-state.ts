import type { RoutingReason } from "@fairlead/contract/names";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import type { LatencyWindow } from "./latency-window.ts";
import type { TtftPredictor } from "./ttft-predictor.ts";

/** Facts about one deployment that outlive requests and configs. */
export interface DeploymentState {
  readonly breaker: CircuitBreaker;
  inFlight: number;
  /** Monotonic time until which the target is left alone. */
  coolUntilMs: number;
  /** Why it is left alone. */
  coolReason: RoutingReason;
  readonly latency: LatencyWindow;
  readonly ttft: TtftPredictor;
  /** Monotonic time at which the last attempt began; undefined before the first. */
  lastBegunMs: number | undefined;
}

/** What of a request decides how long a target works on it. */
export interface WorkAhead {
  readonly inputTokens: number;
  /** 0 for none. */
  readonly conversationHash: number;
  /** Whether its answer shows its first token. */
  readonly streams: boolean;
}
