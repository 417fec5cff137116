/** What is known of a deployment's readiness. `unknown` (never asked) is treated as ready. */
export type Readiness = "unknown" | "cold" | "warming" | "ready" | "draining" | "failed";

/** What an upstream's own probe tells, for all that it serves. */
export type UpstreamReadiness = "unknown" | "ready" | "cold" | "down";

/** What a server tells of one of its models. */
export type ModelLoad = "loaded" | "loading" | "unloaded";

/** What a wake-up of this gateway's own is about: called, given up, or about to be called off. */
export type WakePhase = "waking" | "failed" | "dozing";

/** All that a deployment's readiness follows from. */
export interface ReadinessFacts {
  readonly upstream: UpstreamReadiness;
  /** Undefined where the server does not tell. */
  readonly load: ModelLoad | undefined;
  /** Whether a model that is not loaded is woken by a call of ours; else its server loads it for the request that asks. */
  readonly wakesModel: boolean;
  /** Whether a server that went away can be brought back by a call of ours. */
  readonly startsServer: boolean;
  readonly phase: WakePhase | undefined;
  /** An operator took it out of service. */
  readonly isDrained: boolean;
}

/** The state of one deployment now. */
export function readinessOf(facts: ReadinessFacts): Readiness {
  const { upstream, load, phase } = facts;
  if (facts.isDrained || phase === "dozing") return "draining";
  const isUp = upstream === "ready" || upstream === "unknown";
  const isThere = load !== "loading" && (load !== "unloaded" || !facts.wakesModel);
  if (isUp && isThere) return upstream;
  if (phase === "waking") return "warming";
  if (phase === "failed") return "failed";
  if (upstream === "down") return facts.startsServer ? "cold" : "failed";
  return isUp && load === "loading" ? "warming" : "cold";
}

/** Whether requests may be sent to it. */
export function mayServe(readiness: Readiness): readiness is "ready" | "unknown" {
  return readiness === "ready" || readiness === "unknown";
}
