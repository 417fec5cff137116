import type { Placement } from "@fairlead/contract/names";
import type { OrderName, StrategyName } from "@fairlead/contract/routing-names";

/** What a client asked of routing itself, beside the model's name. Plain data: decisions keep it. */
export interface RoutingWish {
  readonly strategy?: StrategyName | undefined;
  /** The prompt must not leave the premises, whatever fails. */
  readonly localOnly: boolean;
  readonly maxLatencyMs?: number | undefined;
  readonly maxCostUsd?: number | undefined;
  readonly region?: string | undefined;
  /** References to targets, upstreams or providers, tried first and in this order. */
  readonly order?: readonly string[] | undefined;
  /** Nothing else is asked. */
  readonly only?: readonly string[] | undefined;
  readonly ignore?: readonly string[] | undefined;
  /** `false` asks the first target and no other. */
  readonly allowFallbacks?: boolean | undefined;
  /** Leaves out targets that would drop one of the request's parameters. */
  readonly requireParameters?: boolean | undefined;
  /** US dollars per million tokens, and per request. */
  readonly maxPrice?: MaxPrice | undefined;
  readonly sort?: Extract<OrderName, "cheapest" | "fastest"> | "throughput" | undefined;
  /** Nobody who may collect the data is asked: only self-hosted upstreams, and routers that keep such a promise themselves. */
  readonly dataCollection?: "deny" | undefined;
  /** Names tried one after the other behind the one asked for. */
  readonly models?: readonly string[] | undefined;
  /** Requests of one session stay with one target while it serves. */
  readonly session?: string | undefined;
  readonly placement?: Placement | undefined;
}

export interface MaxPrice {
  readonly prompt?: number | undefined;
  readonly completion?: number | undefined;
  readonly request?: number | undefined;
}

export const noWish: RoutingWish = { localOnly: false };
