import type { DialectName, Placement, RoutingReason } from "@fairlead/contract/names";
import type { StrategyName } from "@fairlead/contract/routing-names";
import type { ErrorCode } from "./errors.ts";
import type { Outcome } from "./exchange.ts";
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
