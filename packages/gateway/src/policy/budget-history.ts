import { GatewayError } from "../core/errors.ts";
import type { NanoDollars } from "../core/money.ts";
import { countWindow } from "../ledger/budget-window.ts";
import type { CounterStore, CountWindow } from "../ledger/counter-store.ts";
import type { LedgerDatabase } from "../ledger/ledger-database.ts";
import type { Clock } from "../lib/clock.ts";
import type { ActiveBudget } from "./budget-book.ts";
import type { BudgetWatch } from "./budget-watch.ts";

/**
 * Decides which of several replicas books what was spent before. `begin`: nobody counts this budget, so its counter was
 * emptied and all of it is to be booked. `book`: others count it, but without what this ledger knows. `booked`: nothing to
 * do. `wait`: another replica is about to. `away`: nobody can tell now.
 */
export interface HistoryClaims {
  claim(account: string, window: CountWindow): Promise<"begin" | "book" | "booked" | "wait" | "away">;
  booked(account: string): void;
}

export interface BudgetHistoryDeps {
  readonly reports: Pick<LedgerDatabase, "spent">;
  /** Resolves when the rows that earlier processes left in their journals are in the database. */
  readonly recovered: Promise<void>;
  /** Resolves when the rows of all requests that have ended are in the database, or it takes too long. */
  readonly flush: () => Promise<void>;
  readonly counters: CounterStore;
  readonly watch: BudgetWatch;
  readonly clock: Clock;
  /** The id of a key that a budget may name instead; rows have ids only. */
  readonly keyId: (idOrName: string) => string;
  readonly alert: (error: GatewayError) => void;
  /** Of counters that several replicas share. */
  readonly claims?: HistoryClaims | undefined;
}

const retryMs = 2_000;
/** A rolling window is booked in as many pieces as the counters tell apart. */
const rollingSteps = 60;

/**
 * Books what was spent before a budget began to count here: by earlier processes, or before it was made. While the
 * database does not answer, budgets count from now on, and what was spent before is added once it does.
 */
export class BudgetHistory {
  readonly #deps: BudgetHistoryDeps;
  #work: Promise<void>;
  #cancelPause = (): void => {};
  #stopped = false;

  constructor(deps: BudgetHistoryDeps) {
    this.#deps = deps;
    this.#work = deps.recovered;
  }

  /**
   * Resolves when the history of these budgets is booked. It ends now, however long that takes: requests from now on are
   * counted as they come.
   */
  add(budgets: readonly ActiveBudget[]): Promise<void> {
    const untilMs = this.#deps.clock.now();
    for (const budget of budgets) this.#work = this.#work.then(() => this.#bookWithRetries(budget, untilMs));
    return this.#work;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelPause();
  }

  async #bookWithRetries(active: ActiveBudget, untilMs: number): Promise<void> {
    const history = { untilMs };
    for (let tries = 0; !this.#stopped; tries++) {
      try {
        if (await this.#book(active, history)) return;
        await this.#pause();
      } catch (cause) {
        const message = `What the budget ${active.budget.name} has spent before is not known yet: the database does not answer.`;
        if (tries === 0) this.#deps.alert(new GatewayError("store_unavailable", message, { cause }));
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.after(retryMs, resolve);
      this.#cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Whether it is booked now; false when another replica has to be waited for. */
  async #book(active: ActiveBudget, history: { untilMs: number }): Promise<boolean> {
    const { clock, claims, counters, watch } = this.#deps;
    const { budget, account } = active;
    const nowMs = clock.now();
    const window = countWindow(budget.window, nowMs);
    const claimed = await claims?.claim(account, window);
    if (claimed === "wait" || claimed === "away") return false;
    if (claimed === "booked") {
      const { settled } = await counters.read(account, window, nowMs);
      watch.resume(budget, settled as NanoDollars, nowMs);
      return true;
    }
    // A counter that was emptied lacks also what was spent since the budget began to count here.
    if (claimed === "begin") history.untilMs = nowMs;
    await this.#bookUntil(active, history.untilMs);
    claims?.booked(account);
    return true;
  }

  async #bookUntil({ budget, account }: ActiveBudget, untilMs: number): Promise<void> {
    const { reports, flush, counters, watch, keyId } = this.#deps;
    const { kind, value } = budget.scope;
    const scope = kind === "key" && value !== undefined ? { kind, value: keyId(value) } : budget.scope;
    const window = countWindow(budget.window, untilMs);
    let spent = 0;
    await flush();
    if (window.kind === "fixed") {
      const [sum] = await reports.spent(scope, window.startMs, untilMs);
      spent = sum?.cost ?? 0;
      if (spent > 0) counters.book(account, window, spent, untilMs);
    } else {
      const stepMs = window.lengthMs / rollingSteps;
      const fromMs = (Math.floor(untilMs / stepMs) - rollingSteps) * stepMs;
      for (const bucket of await reports.spent(scope, fromMs, untilMs, stepMs)) {
        spent += bucket.cost;
        counters.book(account, window, bucket.cost, bucket.fromMs);
      }
    }
    watch.resume(budget, spent as NanoDollars, untilMs);
  }
}
