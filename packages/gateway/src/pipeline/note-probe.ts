import type { Deployment, Upstream } from "../core/deployment.ts";
import type { LiveState } from "../routing/live-state.ts";
import type { Engine } from "../upstreams/engines/engine.ts";
import { engines } from "../upstreams/engines/registry.ts";
import type { ProbeResult } from "../upstreams/prober.ts";

/** What is known of the models of an upstream that is never probed: those of an engine that loads as it starts are loaded. */
export function noteUnprobed(upstream: Upstream, live: LiveState, deployments: readonly Deployment[]): void {
  const engine: Engine | undefined = upstream.engine && engines[upstream.engine];
  if (upstream.health !== undefined || engine === undefined || engine.loadsOnRequest === true) return;
  for (const target of deployments) if (target.upstream === upstream) live.noteLoadOf(target, "loaded");
}

/** Tells live state what a probe of an upstream found, for all that it serves. */
export function noteProbe(
  upstream: Upstream,
  { health, status }: ProbeResult,
  live: LiveState,
  deployments: readonly Deployment[],
  nowMs: number,
): void {
  if (health === "ready") live.markReady(upstream.name, nowMs);
  else if (health === "loading") live.markCold(upstream.name, nowMs);
  else live.markUnreachable(upstream.name);
  const engine: Engine | undefined = upstream.engine && engines[upstream.engine];
  // One that loads as it starts says with its health that it did.
  const usual = engine === undefined || engine.loadsOnRequest === true ? undefined : "loaded";
  for (const target of deployments) {
    if (target.upstream.name !== upstream.name) continue;
    live.noteLoadOf(target, status?.loadOf(target.model) ?? usual);
    // Looked at now, so that it is known since when it is so.
    live.readiness(target, nowMs);
  }
}
