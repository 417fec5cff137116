import type { BudgetScopeKind, BudgetWindowName } from "@fairlead/contract/names";
import type { NanoDollars } from "./money.ts";

/** The length of time a budget holds for. */
export type BudgetWindow =
  /** Begins with the calendar's hour, day, Monday or month in `timeZone` (IANA). */
  | { readonly kind: "calendar"; readonly unit: BudgetWindowName; readonly timeZone: string }
  | { readonly kind: "rolling"; readonly lengthMs: number };

/** Money that may be spent in a window. Immutable; ids are unique and outlive changes. */
export interface Budget {
  readonly id: string;
  readonly name: string;
  readonly scope: { readonly kind: BudgetScopeKind; readonly value: string | undefined };
  readonly limit: NanoDollars;
  readonly window: BudgetWindow;
  /** A soft budget only notifies. */
  readonly hard: boolean;
  /** What a hard budget does at its end: keep requests on self-hosted models, or refuse them. */
  readonly onExhausted: "self_hosted" | "refuse";
  /** Shares of the limit that notify when spending reaches them, ascending, for example 0.5, 0.8 and 1. */
  readonly notifyAt: readonly number[];
  readonly source: "config" | "api";
}

/** Requests, tokens and running requests that one key, team or upstream may have. */
export interface RateLimit {
  readonly id: string;
  readonly name: string;
  readonly scope: { readonly kind: "key" | "team" | "upstream"; readonly value: string };
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly concurrency: number | undefined;
  readonly source: "config" | "api";
}

/** A budget whose spending reached one of its thresholds, once per window and threshold. */
export interface BudgetNotice {
  readonly budget: Budget;
  readonly threshold: number;
  readonly spent: NanoDollars;
  /** Milliseconds since 1970. */
  readonly windowStartMs: number;
  readonly at: number;
}
