import type { Gateway } from "../build-gateway.ts";
import type { GatewayError } from "../core/errors.ts";
import type { DirectoryMirror } from "../keys/directory-mirror.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { systemClock } from "../lib/clock.ts";
import { BudgetHistory } from "../policy/budget-history.ts";
import type { Stores } from "./open-stores.ts";

/** Longest that the first request waits for what earlier processes spent. */
const historyMs = 3_000;

/** Loads keys and rules, and books what earlier processes spent; goes on without them when the database takes too long. */
export async function followBudgets(
  gateway: Gateway,
  stores: Stores,
  ring: KeyRing,
  mirror: DirectoryMirror,
  alert: (error: GatewayError) => void,
): Promise<{ readonly booked: () => Promise<unknown>; readonly stop: () => void }> {
  const { reports, ledger } = stores;
  const { counters, watch } = gateway;
  const keyId = (idOrName: string): string => ring.idOf(idOrName);
  const flush = (): Promise<void> => ledger.flush();
  const recovered = stores.recovered();
  const deps = { recovered, flush, counters, watch, clock: systemClock, keyId, alert };
  const history = reports && new BudgetHistory({ reports, ...deps });
  let booked: Promise<unknown> = Promise.resolve();
  gateway.onBudgets((added) => {
    // They are booked in order: the last one is done when all are.
    if (history !== undefined) booked = history.add(added);
  });
  await beforeLate(mirror.start().then(() => booked));
  return { booked: () => beforeLate(booked), stop: () => history?.stop() };
}

/** Waits for what a slow database may hold up, and goes on without it after a while. */
async function beforeLate(work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, historyMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}
