import type { Gateway } from "../build-gateway.ts";
import type { GatewayError } from "../core/errors.ts";
import type { DirectoryMirror } from "../keys/directory-mirror.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { systemClock } from "../lib/clock.ts";
import type { ActiveBudget } from "../policy/budget-book.ts";
import { BudgetHistory, type HistoryClaims } from "../policy/budget-history.ts";
import type { Shared } from "./open-shared.ts";
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
  sharing?: { readonly shared: Shared; readonly ledger: string } | undefined,
): Promise<{ readonly booked: () => Promise<unknown>; readonly stop: () => void }> {
  const { reports, ledger } = stores;
  const { counters, watch } = gateway;
  const keyId = (idOrName: string): string => ring.idOf(idOrName);
  const flush = (): Promise<void> => ledger.flush();
  const recovered = stores.recovered();
  const shared = sharing?.shared.counters;
  const name = sharing?.ledger ?? "";
  const claims: HistoryClaims | undefined = shared && {
    claim: (account, window) => shared.claim(account, window, name),
    booked: (account) => shared.booked(account, name),
  };
  const deps = { recovered, flush, counters, watch, clock: systemClock, keyId, alert, claims };
  const history = reports && new BudgetHistory({ reports, ...deps });
  let booked: Promise<unknown> = Promise.resolve();
  const add = (budgets: readonly ActiveBudget[]): void => {
    // They are booked in order: the last one is done when all are.
    if (history !== undefined && budgets.length > 0) booked = history.add(budgets);
  };
  gateway.onBudgets((added, gone) => {
    for (const { account } of gone) shared?.unclaim(account);
    add(added);
  });
  sharing?.shared.onEmptied(() => add(gateway.budgets.all));
  // Without the shared store nobody can tell who books, and a start does not wait for that.
  const settled = (): Promise<unknown> => (shared?.isUp === false ? Promise.resolve() : beforeLate(booked));
  await beforeLate(mirror.start().then(settled));
  return { booked: settled, stop: () => history?.stop() };
}

/** Waits for what a slow database may hold up, and goes on without it after a while. */
async function beforeLate(work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, historyMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}
