import type { MetricOverrides } from "./engine-state.ts";
import type { Expectation } from "./expectation.ts";
import type { FaultRule } from "./fault-rules.ts";
import { isObject, type Json } from "./json.ts";
import type { ServerParts } from "./serve-request.ts";

/** Changes to a running engine; absent fields stay as they are, null clears. */
export interface StateChange {
  readonly healthy?: boolean;
  readonly sleeping?: boolean;
  /** How long the next wake-ups take. */
  readonly wakeMs?: number;
  readonly coldMs?: number;
  readonly slots?: number | null;
  readonly tokensPerSecond?: number | null;
  readonly firstTokenMs?: number;
  readonly metrics?: MetricOverrides | null;
}

/** Applies a state change at once; waiting requests may start. */
export function applyState({ state }: ServerParts, change: StateChange): void {
  if (change.healthy !== undefined) state.healthy = change.healthy;
  if (change.sleeping !== undefined) state.sleeping = change.sleeping;
  if (change.wakeMs !== undefined) state.wakeMs = change.wakeMs;
  if (change.coldMs !== undefined) state.setCold(change.coldMs);
  if (change.slots !== undefined) state.slots.setLimit(change.slots ?? Number.POSITIVE_INFINITY);
  if (change.tokensPerSecond !== undefined) state.tokensPerSecond = change.tokensPerSecond;
  if (change.firstTokenMs !== undefined) state.firstTokenMs = change.firstTokenMs;
  if (change.metrics !== undefined) state.overrides = change.metrics ?? {};
}

/**
 * Replaces the fault rules; null removes all.
 * @throws FaultSpecError
 */
export function applyFault({ rules }: ServerParts, fault: FaultRule | readonly FaultRule[] | null): void {
  rules.replace(fault === null ? [] : listOf(fault));
}

/** Replaces the expectations; null removes all. */
export function applyExpect(
  { expectations }: ServerParts,
  expected: Expectation | readonly Expectation[] | null,
): void {
  expectations.splice(0, expectations.length, ...(expected === null ? [] : listOf(expected)));
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** Tells a list of objects, one object or null from anything else on the control API. */
export function isRuleBody(body: Json | undefined): boolean {
  return body === null || isObject(body) || (Array.isArray(body) && body.every(isObject));
}
