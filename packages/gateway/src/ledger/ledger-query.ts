import type { Placement } from "@fairlead/contract/names";
import type { Outcome } from "../core/exchange.ts";
import type { TokenUsage } from "../core/usage.ts";

/** What reports may be grouped by. */
export const usageDimensions = [
  "model",
  "target",
  "placement",
  "provider",
  "upstream",
  "key",
  "team",
  "user",
  "tag",
  "day",
  "hour",
] as const;
export type UsageDimension = (typeof usageDimensions)[number];

/** Every condition given must hold. */
export interface UsageFilters {
  readonly model?: string | undefined;
  readonly target?: string | undefined;
  readonly placement?: Placement | undefined;
  readonly provider?: string | undefined;
  readonly upstream?: string | undefined;
  readonly key?: string | undefined;
  readonly team?: string | undefined;
  readonly user?: string | undefined;
  readonly tag?: string | undefined;
}

export interface ExchangeFilters extends UsageFilters {
  readonly outcome?: Outcome | undefined;
}

/** `fromMs` is in, `toMs` is out; both since 1970. */
export interface UsageQuery {
  readonly fromMs: number;
  readonly toMs: number;
  /** At most two. Grouped by tag, an exchange counts for each of its tags. */
  readonly groupBy: readonly UsageDimension[];
  readonly filters?: UsageFilters | undefined;
  /** IANA zone whose days are meant; UTC unless given. */
  readonly timeZone?: string | undefined;
}

/**
 * Sums of one group. Tokens and cost belong to the target that used them, also when another one answered in the end;
 * the rest to the target that answered, or was tried last. Money is nano-dollars.
 */
export interface UsageRow {
  /** By dimension; null where rows have no such value. Days are `2026-11-21`, hours `2026-11-21T05:00:00.000Z`. */
  readonly group: Readonly<Partial<Record<UsageDimension, string | null>>>;
  readonly requests: number;
  /** Requests that failed or broke off; not those a client left. */
  readonly errors: number;
  readonly attempts: number;
  readonly usage: TokenUsage;
  /** Requests whose usage is partly the gateway's own estimate. */
  readonly estimated: number;
  /** Of attempts that have a price; undefined when there are attempts and none has one. */
  readonly cost: number | undefined;
  /** Requests that used tokens nobody knows the price of. */
  readonly unpriced: number;
  /** Requests whose own and reference cost are both known. */
  readonly compared: number;
  /** What those would have cost on the reference model, and how much less they did cost. */
  readonly referenceCost: number;
  readonly saved: number;
  /** Undefined without requests. */
  readonly averageMs: number | undefined;
  readonly averageFirstContentMs: number | undefined;
}

/** Cost against the reference cloud model, over requests where both are known. */
export interface SavingsRow {
  readonly group: UsageRow["group"];
  readonly requests: number;
  readonly compared: number;
  readonly cost: number;
  readonly referenceCost: number;
  readonly saved: number;
}

export interface ExchangePageQuery {
  readonly fromMs: number;
  readonly toMs: number;
  readonly filters?: ExchangeFilters | undefined;
  /** At most 1,000. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ExportQuery {
  readonly fromMs: number;
  readonly toMs: number;
  readonly filters?: ExchangeFilters | undefined;
}

/** Money spent from `fromMs` on, for the length of one bucket. */
export interface SpentBucket {
  readonly fromMs: number;
  readonly cost: number;
}

/** What a re-pricing changed, or would change. Money is nano-dollars. */
export interface RepriceReport {
  readonly attempts: number;
  readonly changed: number;
  /** Attempts with tokens for which the price book has no price; they stay as they are. */
  readonly withoutPrice: number;
  readonly costBefore: number;
  readonly costAfter: number;
}
