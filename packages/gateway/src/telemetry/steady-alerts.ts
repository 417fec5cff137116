import type { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Sink } from "./sink.ts";

/** The same alert is not told again for this long. */
const quietMs = 60_000;
const maxRemembered = 500;

/**
 * The same sinks, told of an operator's alert once a minute for each cause and target, however many requests meet it. The
 * gateway's own failures are told each time: each has a cause of its own.
 */
export function steadyAlerts(sinks: readonly Sink[], clock: Clock): readonly Sink[] {
  const toldMs = new Map<string, number>();
  let last: { readonly error: GatewayError; readonly isTold: boolean } | undefined;
  const isTold = (error: GatewayError): boolean => {
    // Each sink is asked about one error: they must hear the same.
    if (last?.error === error) return last.isTold;
    last = { error, isTold: isNew(error) };
    return last.isTold;
  };
  const isNew = (error: GatewayError): boolean => {
    if (error.code === "internal_error") return true;
    const key = `${error.code} ${error.detail.target ?? error.message}`;
    const nowMs = clock.monotonicMs();
    if (nowMs - (toldMs.get(key) ?? Number.NEGATIVE_INFINITY) < quietMs) return false;
    if (toldMs.size >= maxRemembered) toldMs.clear();
    toldMs.set(key, nowMs);
    return true;
  };
  return sinks.map((sink) => ({
    name: sink.name,
    exchangeSettled: (record) => sink.exchangeSettled(record),
    budgetReached: (notice) => sink.budgetReached?.(notice),
    operatorAlert: (error, exchangeId) => {
      if (isTold(error)) sink.operatorAlert(error, exchangeId);
    },
    close: () => sink.close(),
  }));
}
