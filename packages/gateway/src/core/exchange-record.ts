import type { DialectName, Placement, RoutingReason } from "@fairlead/contract/names";
import type { ErrorCode } from "./errors.ts";
import type { Outcome } from "./exchange.ts";
import type { TokenUsage } from "./usage.ts";

/** One settled exchange as sinks and the ledger see it: plain data, no secret, no prompt. */
export interface ExchangeRecord {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly dialect: DialectName;
  readonly keyId: string | undefined;
  readonly team: string | undefined;
  readonly asked: string;
  readonly stream: boolean;
  readonly reason: RoutingReason | undefined;
  readonly promptTokensEstimate: number | undefined;
  readonly exclusions: readonly { readonly target: string; readonly reason: string }[];
  readonly nearNames: readonly string[];
  /** Undefined when no target was reached or chosen. */
  readonly served: ServedBy | undefined;
  readonly fallback: { readonly from: string; readonly why: string } | undefined;
  readonly attempts: readonly AttemptRecord[];
  readonly dropped: readonly string[];
  readonly usage: TokenUsage;
  readonly usageEstimated: boolean;
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
  readonly model: string;
  readonly placement: Placement;
}

export interface AttemptRecord {
  readonly target: string;
  readonly durationMs: number;
  readonly error: ErrorCode | undefined;
  readonly upstreamStatus: number | undefined;
}
