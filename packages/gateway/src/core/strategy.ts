import type { Placement, RoutingReason } from "@fairlead/contract/names";
import type { BalancerName, OrderName, StrategyName } from "@fairlead/contract/routing-names";
import type { Deployment } from "./deployment.ts";
import type { RoutingFacts } from "./routing-facts.ts";

/** A compiled condition. Never throws: one that cannot be told (a header that was not sent) is false. */
export type Condition = (facts: RoutingFacts) => boolean;

/** Orders targets where the client named no model: rules in order, the first that matches and selects anything decides. */
export interface Strategy {
  readonly name: StrategyName;
  readonly description: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly rules: readonly StrategyRule[];
  readonly control: ShareTarget | undefined;
  /** The text of its rules as people read and copy it. */
  readonly source: string;
  readonly origin: "built-in" | "config";
}

export interface StrategyRule {
  /** Unique in its strategy; named in decisions. */
  readonly name: string;
  readonly reason: RoutingReason;
  /** Undefined for always. */
  readonly when: Condition | undefined;
  /** The first is what is preferred; each next one stands behind it. */
  readonly prefer: readonly Selection[];
  /** Tried behind all of these; the config's `routing.fallback` unless given. */
  readonly fallback: readonly Selection[] | undefined;
  /** The request never leaves this placement, whatever fails. */
  readonly confinedTo: Placement | undefined;
}

/** Which deployments a rule means, and in which order. */
export interface Selection {
  /** In their order in the config. */
  readonly targets: readonly Deployment[];
  /** Asked for each target; undefined for all. */
  readonly where: Condition | undefined;
  /** The first order decides, the next one among equals. Empty for `listed`. */
  readonly order: readonly OrderName[];
  /** How equals are spread; the config's `routing.balance` unless given. */
  readonly balance: BalancerName | undefined;
  /** Only the first so many. */
  readonly limit: number | undefined;
  /** For the order `balanced`. */
  readonly weights: OrderWeights | undefined;
}

/** Shares of cost, latency and quality in the order `balanced`; any positive numbers. */
export interface OrderWeights {
  readonly cost: number;
  readonly latency: number;
  readonly quality: number;
}

/** What a strategy's cloud use is held to over time (docs/spec/routing.md, 4). */
export type ShareTarget =
  | { readonly kind: "cloud-share"; readonly share: number }
  | { readonly kind: "dollars-per-day"; readonly dollars: number };
