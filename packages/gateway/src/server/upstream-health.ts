import type { Deployment, Upstream } from "../core/deployment.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { Clock } from "../lib/clock.ts";
import type { LatencyWindow } from "../routing/latency-window.ts";
import type { LiveState } from "../routing/live-state.ts";

/** The answer of `GET /health/upstreams` (requirement A2): what is known already; no upstream is asked. */
export function upstreamHealth(catalogue: Catalogue, live: LiveState, clock: Clock): Record<string, unknown> {
  const nowMs = clock.monotonicMs();
  const byUpstream = new Map<Upstream, string[]>();
  for (const { upstream, model } of catalogue.deployments) {
    byUpstream.set(upstream, [...(byUpstream.get(upstream) ?? []), model]);
  }
  const upstreams = [...byUpstream].map(([upstream, models]) => {
    const readiness = live.upstreamReadiness(upstream.name);
    return {
      name: upstream.name,
      placement: upstream.placement,
      provider: upstream.provider,
      healthy: readiness === "ready" || readiness === "unknown",
      readiness,
      models: models.map((model) => {
        const deployment = catalogue.deployments.find((d) => d.upstream === upstream && d.model === model);
        const state = deployment && live.deployment(deployment);
        return {
          id: model,
          breaker: state?.breaker.state(nowMs) ?? "closed",
          in_flight: state?.inFlight ?? 0,
          ...(deployment && readinessFigures(deployment, live, clock)),
          ...figures(state?.latency, nowMs),
        };
      }),
    };
  });
  const count = (placement: string, healthy?: true): number =>
    upstreams.filter((u) => u.placement === placement && (healthy === undefined || u.healthy)).length;
  const healthy = upstreams.filter((upstream) => upstream.healthy).length;
  return {
    status: healthy === upstreams.length ? "healthy" : healthy > 0 ? "degraded" : "unhealthy",
    healthy_clusters: count("local", true),
    total_clusters: count("local"),
    healthy_providers: count("cloud", true),
    total_providers: count("cloud"),
    timestamp: new Date(clock.now()).toISOString(),
    upstreams,
  };
}

/** How ready a deployment is and since when, who wants it, and how long it lately took to come up; null is unknown. */
function readinessFigures(target: Deployment, live: LiveState, clock: Clock): Record<string, unknown> {
  const nowMs = clock.monotonicMs();
  const readiness = live.readiness(target, nowMs);
  const { sinceMs, coldStartMs } = live.readinessState(target);
  return {
    readiness,
    since: sinceMs === 0 ? null : new Date(clock.now() - (nowMs - sinceMs)).toISOString(),
    demand: live.demand(target, nowMs),
    cold_start_ms: coldStartMs === undefined ? null : Math.round(coldStartMs),
  };
}

/** What was measured lately; null is unknown. */
function figures(latency: LatencyWindow | undefined, nowMs: number): Record<string, number | null> {
  const rounded = (figure: number | undefined): number | null => (figure === undefined ? null : Math.round(figure));
  return {
    ttft_ms: rounded(latency?.ttftMs),
    end_to_end_ms: rounded(latency?.endToEndMs),
    tokens_per_second: rounded(latency?.tokensPerSecond),
    error_rate: Math.round((latency?.errorRate(nowMs) ?? 0) * 100) / 100,
  };
}
