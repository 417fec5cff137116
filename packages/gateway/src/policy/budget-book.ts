import type { Budget } from "../core/budget.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Principal } from "../core/principal.ts";

/** A budget that counts, with the name of its account. */
export interface ActiveBudget {
  readonly budget: Budget;
  readonly account: string;
}

function accountOf({ id, window }: Budget): string {
  const shape = window.kind === "rolling" ? `rolling-${window.lengthMs}` : `${window.unit}-${window.timeZone}`;
  return `budget:${id}:${shape}`;
}

/** All budgets that hold now, found by what they are about. Replaced as a whole; finding is synchronous, every attempt. */
export class BudgetBook {
  #all: readonly ActiveBudget[] = [];
  #byScope: ReadonlyMap<string, readonly ActiveBudget[]> = new Map();

  constructor(budgets: readonly Budget[] = []) {
    this.replace(budgets);
  }

  get all(): readonly ActiveBudget[] {
    return this.#all;
  }

  replace(budgets: readonly Budget[]): void {
    this.#all = budgets.map((budget) => ({ budget, account: accountOf(budget) }));
    this.#byScope = Map.groupBy(this.#all, ({ budget: { scope } }) => scopeName(scope.kind, scope.value));
  }

  /** Every budget that a request of this principal with these tags counts against when this target serves it. */
  matching(principal: Principal, tags: readonly string[], target: Deployment): readonly ActiveBudget[] {
    if (this.#all.length === 0) return none;
    const { upstream } = target;
    const found: ActiveBudget[] = [];
    const add = (kind: Budget["scope"]["kind"], value: string | undefined): void => {
      const budgets = this.#byScope.get(scopeName(kind, value));
      if (budgets !== undefined) found.push(...budgets);
    };
    add("total", undefined);
    add("placement", upstream.placement);
    add("provider", upstream.provider);
    add("upstream", upstream.name);
    if (principal.team !== undefined) add("team", principal.team);
    if (principal.keyId !== undefined) add("key", principal.keyId);
    if (principal.keyName !== undefined && principal.keyName !== principal.keyId) add("key", principal.keyName);
    for (const tag of tags) add("tag", tag);
    return found;
  }
}

const none: readonly ActiveBudget[] = [];

function scopeName(kind: string, value: string | undefined): string {
  return value === undefined ? kind : `${kind}:${value}`;
}
