import type { Deployment } from "./deployment.ts";

/** Limits of the attempt loop over one request. */
export interface AttemptLimits {
  readonly maxAttempts: number;
  readonly retriesPerTarget: number;
  readonly backoffMs: number;
  readonly maxRetryAfterMs: number;
}

export interface BreakerLimits {
  readonly failures: number;
  readonly cooldownMs: number;
  readonly halfOpenTrials: number;
}

/**
 * All that routing knows from the config, resolved: every list holds existing deployments, in the order to try them,
 * without repeats. Built once at load; immutable.
 */
export interface Catalogue {
  readonly deployments: readonly Deployment[];
  /** Public name → what it means. Holds aliases, configured models, model ids and `<upstream>/<model>`. */
  readonly names: ReadonlyMap<string, NamedTarget>;
  readonly autoCloud: readonly Deployment[];
  readonly longContext: readonly Deployment[];
  readonly fallback: readonly Deployment[];
  readonly unknownModel: "auto" | "reject";
}

export interface NamedTarget {
  /** `explicit_model` for a deployment's own name, `alias` for any other. */
  readonly reason: "explicit_model" | "alias";
  readonly targets: readonly Deployment[];
  /** Replaces the default chain behind this name. */
  readonly fallback: readonly Deployment[] | undefined;
  /** Shown by `GET /v1/models`; the long spelling `<upstream>/<model>` is not. */
  readonly listed: boolean;
}
