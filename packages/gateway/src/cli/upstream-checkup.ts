import type { Deployment, Upstream } from "../core/deployment.ts";
import { isObject } from "../lib/json.ts";
import { nearNames } from "../lib/near-names.ts";
import { authHeaders } from "../upstreams/auth/auth-headers.ts";
import { boundedGet, type GetFailure, type GetFetch } from "../upstreams/bounded-get.ts";
import type { ProbeAnswer } from "../upstreams/engines/engine.ts";
import { findPreset, modelsProbeOf } from "../upstreams/presets.ts";

/** How one upstream is, and what to do about it. Holds no secret. */
export interface UpstreamReport {
  readonly name: string;
  readonly placement: string;
  readonly baseUrl: string;
  readonly ok: boolean;
  readonly reachable: boolean;
  /** `none`: it is asked without a key. `unknown`: the answer does not tell. */
  readonly key: "accepted" | "refused" | "none" | "unknown";
  readonly models: { readonly configured: number; readonly missing: readonly string[] };
  readonly latencyMs: number | undefined;
  readonly advice: readonly string[];
}

function adviseOnFailure(failure: GetFailure, detail: string, upstream: Upstream, timeoutMs: number): string {
  const { host, hostname, protocol } = new URL(upstream.baseUrl);
  const setting = `upstreams.${upstream.name}.baseUrl`;
  const direct = upstream.placement === "cloud" && upstream.proxy === undefined;
  const viaProxy = direct
    ? `; where a proxy is needed, set upstreams.${upstream.name}.proxy (the process's proxy variables are not used)`
    : "";
  switch (failure) {
    case "refused":
      return `nothing listens at ${host}: start the server or correct ${setting} (in a container, 127.0.0.1 is the container itself)`;
    case "dns":
      return `the host name ${hostname} does not resolve: check its spelling in ${setting}, and the DNS of this machine${viaProxy}`;
    case "tls":
      return protocol === "https:"
        ? `no trusted TLS connection to ${host} (${detail}): is it https at all, and is its certificate valid for this name?`
        : `a TLS error on plain http to ${host} (${detail}): check ${setting} and the proxy`;
    case "timeout":
      return `${host} did not answer within ${timeoutMs} ms: check the address and firewalls${viaProxy}`;
    case "closed":
      return `${host} closed the connection without an answer: does ${setting} say http where the server wants https?`;
    case "other":
      return `${host} cannot be reached (${detail})`;
  }
}

function adviseOnStatus(answer: ProbeAnswer, upstream: Upstream): string | undefined {
  const { status } = answer;
  const at = `upstreams.${upstream.name}`;
  const preset = findPreset(upstream.provider);
  const variable = preset?.auth.type === "none" ? undefined : preset?.auth.env;
  if (status === 401 || status === 403) {
    if (upstream.auth.type === "none") return `it wants a key (${status}): set ${at}.auth`;
    return `it refuses the key (${status}): check ${at}.auth${variable === undefined ? "" : ` or ${variable}`}, and that the key has not expired`;
  }
  if (status === 404) {
    const versioned = /\/v\d+\w*(?:\/|$)/.test(new URL(upstream.baseUrl).pathname);
    const guess = versioned ? "" : `; it usually ends with /v1: try ${upstream.baseUrl}/v1`;
    return `it has no models list at ${upstream.baseUrl}/models (404): check ${at}.baseUrl${guess}`;
  }
  if (status === 429) return "it limits the rate of requests (429): try again later, or check the account's quota";
  if (status === 503) return "it is up but not ready (503): it may still be loading its model";
  if (status >= 500) return `it fails (${status}): look at its log`;
  if (status >= 300 && status < 400)
    return `it redirects (${status}), which is never followed: put the final URL in ${at}.baseUrl`;
  return status === 200 ? undefined : `it answers ${status} where a models list was expected`;
}

/** The ids of a models list; undefined when the answer is none, or only the first page of one. */
function listedIds(body: unknown): readonly string[] | undefined {
  const data = isObject(body) ? body["data"] : body;
  if (!Array.isArray(data) || (isObject(body) && body["has_more"] === true)) return undefined;
  return data.flatMap((entry) => {
    return isObject(entry) && typeof entry["id"] === "string" ? [entry["id"].replace(/^models\//, "")] : [];
  });
}

interface ModelCheck {
  readonly missing: readonly string[];
  readonly advice: readonly string[];
  readonly ok: boolean;
}

/** A model of the preset's own list may be retired or not be granted to this key: a remark, not a failure. */
function checkModels(upstream: Upstream, deployments: readonly Deployment[], listed: readonly string[]): ModelCheck {
  const known = new Set(findPreset(upstream.provider)?.models.map(({ id }) => id));
  const missing = deployments.map(({ model }) => model).filter((model) => !listed.includes(model));
  const advice = missing.map((model) => {
    const near = nearNames(model, listed);
    if (near.length > 0) return `it does not list ${model}; it has ${near.join(", ")}`;
    const some = listed.slice(0, 3).join(", ");
    return `it does not list ${model}${some === "" ? "; it lists nothing" : `; it lists ${some}${listed.length > 3 ? ", …" : ""}`}`;
  });
  return { missing, advice, ok: missing.every((model) => known.has(model)) };
}

/** Asks one upstream for its models with its own key and proxy, and judges the answer. Never throws. */
export async function checkUpstream(
  upstream: Upstream,
  deployments: readonly Deployment[],
  fetch: GetFetch,
  timeoutMs: number,
): Promise<UpstreamReport> {
  const preset = findPreset(upstream.provider);
  const base = { name: upstream.name, placement: upstream.placement, baseUrl: upstream.baseUrl };
  const asked = upstream.auth.type === "none" ? "none" : "unknown";
  const { probeHeaders, modelsQuery } = preset ?? modelsProbeOf[upstream.protocol];
  const headers = { ...upstream.headers, ...probeHeaders, ...authHeaders(upstream.auth) };
  const signal = AbortSignal.timeout(timeoutMs);
  const url = `${upstream.baseUrl}/models${modelsQuery ?? ""}`;
  const start = performance.now();
  const result = await boundedGet(fetch, url, { signal, headers, proxy: upstream.proxy, maxBytes: 8_388_608 });
  const latencyMs = Math.round(performance.now() - start);
  const models = { configured: deployments.length, missing: [] };
  if (!result.ok) {
    const advice = [adviseOnFailure(result.failure, result.detail, upstream, timeoutMs)];
    return { ...base, ok: false, reachable: false, key: asked, models, latencyMs: undefined, advice };
  }
  const { answer } = result;
  const seen = { ...base, reachable: true, latencyMs };
  const refused = answer.status === 401 || answer.status === 403;
  const complaint = adviseOnStatus(answer, upstream);
  if (preset?.listsModels === false && !refused && answer.status < 500) {
    return {
      ...seen,
      ok: true,
      key: asked,
      models,
      advice: ["it has no models list, so only its address was checked"],
    };
  }
  if (complaint !== undefined) {
    return { ...seen, ok: false, key: refused && asked !== "none" ? "refused" : asked, models, advice: [complaint] };
  }
  const key = asked === "none" ? "none" : "accepted";
  const listed = listedIds(answer.body);
  if (listed === undefined) {
    const paged = isObject(answer.body) && answer.body["has_more"] === true;
    const advice = paged ? [] : ["it answers, but not with a models list: is this the API's address?"];
    return { ...seen, ok: paged, key, models, advice };
  }
  const { missing, advice, ok } = checkModels(upstream, deployments, listed);
  return { ...seen, ok, key, models: { configured: deployments.length, missing }, advice };
}
