import type { Deployment, Upstream } from "../core/deployment.ts";
import type { Clock } from "../lib/clock.ts";
import { authHeaders } from "./auth/auth-headers.ts";
import { boundedGet, type GetFetch } from "./bounded-get.ts";
import { isName, listedModels } from "./engines/engine.ts";
import type { Transport } from "./transport.ts";

/** Of an upstream without a probe of its own. */
const usualTimeoutMs = 2_000;

/**
 * Asks an upstream what it serves: `assumed` where it lists that, else the first model of its list that is no adapter of
 * another. Undefined when it does not tell. Never throws.
 */
export async function discoverServedModel(
  get: GetFetch,
  upstream: Upstream,
  assumed: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const headers = { "user-agent": "fairlead", ...upstream.headers, ...authHeaders(upstream.auth) };
  const result = await boundedGet(get, `${upstream.baseUrl}/models`, { signal, headers, proxy: upstream.proxy });
  if (!result.ok) return undefined;
  const listed = listedModels(new Map([["/v1/models", result.answer]]));
  if (listed.some(({ id }) => id === assumed)) return assumed;
  return (listed.find((model) => !isName(model["parent"])) ?? listed[0])?.id;
}

/** What asking for a served model needs. */
export interface ServedModelDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly deployments: readonly Deployment[];
}

/**
 * Replaces the assumed model of an upstream that is up by the one it serves. Does nothing where the model was configured
 * or found. Cheap enough for every probe, so that a server that comes back with another model is followed. Never rejects.
 */
export async function adoptServedModel(upstream: Upstream, deps: ServedModelDeps): Promise<void> {
  const { transport, clock, deployments } = deps;
  const target = deployments.find((each) => each.upstream === upstream && each.adoptModel !== undefined);
  if (target === undefined) return;
  const abort = new AbortController();
  const cancel = clock.after(upstream.health?.timeoutMs ?? usualTimeoutMs, () => abort.abort());
  const get: GetFetch = (url, { headers }) =>
    transport.send(upstream, {
      method: "GET",
      url,
      headers: Object.fromEntries(new Headers(headers)),
      signal: abort.signal,
    });
  const model = await discoverServedModel(get, upstream, target.model, abort.signal);
  cancel();
  if (model !== undefined) target.adoptModel?.(model);
}
