import type { Capability, DialectName, Placement, RoutingReason } from "@fairlead/contract/names";
import type { StrategyName } from "@fairlead/contract/routing-names";
import type { ArmChoice, Candidate, ControlChoice, Features } from "./decision.ts";
import type { ErrorCode } from "./errors.ts";
import type { Outcome } from "./exchange.ts";
import type { RoutingWish } from "./routing-wish.ts";
import type { TokenUsage } from "./usage.ts";

/** One settled exchange as sinks and the ledger see it: plain data, no secret, no prompt. Money is nano-dollars. */
export interface ExchangeRecord {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly dialect: DialectName;
  readonly keyId: string | undefined;
  readonly team: string | undefined;
  readonly user: string | undefined;
  readonly tags: readonly string[];
  readonly asked: string;
  readonly stream: boolean;
  readonly strategy: StrategyName | undefined;
  readonly reason: RoutingReason | undefined;
  readonly promptTokensEstimate: number | undefined;
  readonly exclusions: readonly { readonly target: string; readonly reason: string }[];
  readonly nearNames: readonly string[];
  /** The request was bound to this placement. */
  readonly confinedTo: Placement | undefined;
  /** What the decision was made from; undefined when none was made. */
  readonly routing: RoutingRecord | undefined;
  /** Where the request would have gone by preference; undefined when nothing could be wanted. */
  readonly firstChoice: ServedBy | undefined;
  /** Undefined when no target was reached or chosen. */
  readonly served: ServedBy | undefined;
  readonly fallback: { readonly from: string; readonly why: string } | undefined;
  readonly attempts: readonly AttemptRecord[];
  readonly dropped: readonly string[];
  /** Sum over the attempts. */
  readonly usage: TokenUsage;
  readonly usageEstimated: boolean;
  /** Sum over the attempts that have a price; undefined when none was made or none has one. */
  readonly cost: number | undefined;
  /** Some tokens have no price: `cost` then leaves them out. */
  readonly unpriced: boolean;
  /** What the answer's tokens would have cost on the reference cloud model; undefined when that has no price. */
  readonly referenceCost: number | undefined;
  readonly referenceVersion: string | undefined;
  readonly status: number;
  readonly outcome: Outcome;
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
  readonly durationMs: number;
  /** Until the first content of the answer; undefined when none came. */
  readonly firstContentMs: number | undefined;
  readonly overheadMs: number;
}

/** Enough of a decision to explain it, and to make it again under other rules. What is usual is left out: rows stay small. */
export interface RoutingRecord {
  /** The name that was decided for, where the key's own aliases made it another than the one asked. */
  readonly model?: string | undefined;
  readonly rule?: string | undefined;
  readonly features: Features;
  /** Undefined for none. */
  readonly needs?: readonly Capability[] | undefined;
  /** Undefined for none. */
  readonly wish?: RoutingWish | undefined;
  /** What the record does not say of the key otherwise; undefined where there is nothing to say. */
  readonly key?: RecordedKey | undefined;
  readonly reasoning?: string | undefined;
  /** Ids of the targets, in the order they would be tried. */
  readonly order: readonly string[];
  /** Undefined where nothing was compared. */
  readonly candidates?: readonly Candidate[] | undefined;
  readonly experiment?: ArmChoice | undefined;
  readonly control?: ControlChoice | undefined;
  readonly spillCostUsd?: number | undefined;
  /** Of `attempts`, the one that was started beside a late one. */
  readonly hedge?: number | undefined;
  /** Of `attempts`, those that went on where a stream broke off. */
  readonly continued?: readonly number[] | undefined;
}

export interface RecordedKey {
  readonly name?: string | undefined;
  readonly region?: string | undefined;
  readonly localOnly?: true | undefined;
}

export interface ServedBy {
  readonly target: string;
  readonly upstream: string;
  readonly provider: string;
  readonly model: string;
  readonly placement: Placement;
}

/** One try at one target, with what it used and cost. */
export interface AttemptRecord extends ServedBy {
  readonly durationMs: number;
  readonly firstContentMs: number | undefined;
  readonly error: ErrorCode | undefined;
  readonly upstreamStatus: number | undefined;
  readonly usage: TokenUsage;
  readonly usageEstimated: boolean;
  /** The usage object as the upstream sent it, or several in the order they came; undefined when it sent none. */
  readonly rawUsage: unknown;
  readonly priceVersion: string | undefined;
  /** Undefined when unpriced. */
  readonly cost: number | undefined;
}
