import type { Capability, EngineName, Placement, ProtocolName } from "@fairlead/contract/names";
import type { Brand } from "../lib/brand.ts";
import type { Secret } from "../lib/secret.ts";
import type { Wake } from "./wake.ts";

/** `<upstream>/<model>`: the identity of a deployment in headers, metrics, live state and config. */
export type DeploymentId = Brand<string, "DeploymentId">;

/** How requests to an upstream prove who sends them. */
export type UpstreamAuth =
  | { readonly type: "none" }
  | { readonly type: "bearer"; readonly key: Secret }
  | { readonly type: "header"; readonly name: string; readonly key: Secret };

export interface Timeouts {
  readonly connectMs: number;
  readonly firstContentMs: number;
  /** In place of `firstContentMs` while a self-hosted model may have to be loaded first. */
  readonly coldStartMs: number;
  /** In place of `firstContentMs` for an answer that is not streamed: it shows nothing before its end. */
  readonly wholeMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/** A cheap GET that tells whether an upstream is there. Any 2xx is healthy. */
export interface HealthProbe {
  /** Below the origin of the upstream's base URL. */
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Sends the upstream's credentials; 401 and 403 then mean "reachable, but the key is refused", not "down". */
  readonly authenticated: boolean;
  /** Sent with the probe only, beside the upstream's own headers. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What an upstream of one's own costs, in US dollars. */
export interface SelfHostedCost {
  /** Of one replica, running or idle. */
  readonly perHour: number;
  readonly replicas: number;
  /** Of all replicas, input and output together; stands until it is measured. */
  readonly tokensPerHour?: number | undefined;
  /** Whether idle time is paid by the tokens too, or only the time the engine was busy. */
  readonly basis: "amortised" | "marginal";
}

/** A reachable endpoint. Immutable; one per entry of the config's `upstreams`. */
export interface Upstream {
  readonly name: string;
  /** Company or engine whose quirks apply; a preset's name, or the protocol's default. */
  readonly provider: string;
  readonly placement: Placement;
  /** Where it stands, as the operator names it; undefined when nobody said. */
  readonly region: string | undefined;
  readonly protocol: ProtocolName;
  readonly engine: EngineName | undefined;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly auth: UpstreamAuth;
  readonly headers: Readonly<Record<string, string>>;
  readonly proxy: string | undefined;
  readonly timeouts: Timeouts;
  readonly health: HealthProbe | undefined;
  /** How what it serves is woken; undefined where nobody said. */
  readonly wake?: Wake | undefined;
  /** Present where the hour is paid for and not the token. */
  readonly cost: SelfHostedCost | undefined;
  /** It understands `provider`, `models` and `route` in the body itself. */
  readonly routesItself: boolean;
  /** An upstream this process started itself, for the demo. */
  readonly simulated: boolean;
}

export interface DeploymentWeights {
  readonly cost: number;
  readonly latency: number;
  readonly quality: number;
}

/** One model on one upstream. Immutable, but for a model that was assumed. */
export interface Deployment {
  readonly id: DeploymentId;
  readonly upstream: Upstream;
  /** The id the upstream knows the model by. */
  readonly model: string;
  readonly aliases: readonly string[];
  /** Prompt and output together; undefined when unknown. */
  readonly contextWindow: number | undefined;
  readonly maxOutputTokens: number | undefined;
  readonly capabilities: ReadonlySet<Capability>;
  /** What `auto` trusts a local deployment with, in estimated tokens. */
  readonly adequate: { readonly promptTokens: number; readonly maxTokens: number };
  /** What rules may select by: `code`, `premium`, `cheap`, or the operator's own. */
  readonly tags: readonly string[];
  /** Each 0 to 1, the better the higher: what is known of the model until it is measured (requirement B7). */
  readonly weights: DeploymentWeights;
  /** Share of requests under the balancer `weighted`. */
  readonly weight: number;
  /** Requests it works on at once; undefined when nobody said. */
  readonly slots: number | undefined;
  /**
   * Present where nobody said what the upstream serves, so that `model` is only assumed: sets `model`. The id and the
   * public names stay.
   */
  adoptModel?(model: string): void;
}
