import type { Budget } from "../core/budget.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Principal } from "../core/principal.ts";

/** A budget that counts, with the name of its account. */
export interface ActiveBudget {
  readonly budget: Budget;
  readonly account: string;
}

/** What a budget counts: another scope or window counts from its own history. */
function countOf({ id, scope, window }: Budget): string {
  const shape = window.kind === "rolling" ? `rolling-${window.lengthMs}` : `${window.unit}-${window.timeZone}`;
  return `budget:${id}:${shape}:${scopeName(scope.kind, scope.value)}`;
}

/**
 * All budgets that hold now, found by what they are about. Replaced as a whole; finding is synchronous, every attempt.
 * One that stays keeps its account; one that comes, also again, gets a new one, because its history is booked anew.
 * With `oneForAll` a budget has one account, the same in every replica; whose history it includes is the store's to say.
 */
export class BudgetBook {
  #all: readonly ActiveBudget[] = [];
  #begun = 0;
  #byScope: ReadonlyMap<string, readonly ActiveBudget[]> = new Map();
  /** What was found for a key's own tags, which most requests have. */
  #found = new WeakMap<Principal, WeakMap<Deployment, readonly ActiveBudget[]>>();

  readonly #oneForAll: boolean;

  constructor(budgets: readonly Budget[] = [], { oneForAll = false }: { readonly oneForAll?: boolean } = {}) {
    this.#oneForAll = oneForAll;
    this.replace(budgets);
  }

  get all(): readonly ActiveBudget[] {
    return this.#all;
  }

  replace(budgets: readonly Budget[]): void {
    const accounts = new Map(this.#all.map(({ budget, account }) => [countOf(budget), account]));
    this.#all = budgets.map((budget) => {
      const count = countOf(budget);
      const fresh = (): string => (this.#oneForAll ? count : `${count}#${++this.#begun}`);
      return { budget, account: accounts.get(count) ?? fresh() };
    });
    this.#found = new WeakMap();
    this.#byScope = Map.groupBy(this.#all, ({ budget: { scope } }) => scopeName(scope.kind, scope.value));
  }

  /** Whether a budget is about this tag. */
  isAboutTag(tag: string): boolean {
    return this.#byScope.has(scopeName("tag", tag));
  }

  /** Every budget that a request of this principal with these tags counts against when this target serves it. */
  matching(principal: Principal, tags: readonly string[], target: Deployment): readonly ActiveBudget[] {
    if (this.#all.length === 0) return none;
    if (tags !== principal.tags) return this.#find(principal, tags, target);
    let byTarget = this.#found.get(principal);
    if (byTarget === undefined) {
      byTarget = new WeakMap();
      this.#found.set(principal, byTarget);
    }
    let found = byTarget.get(target);
    if (found === undefined) {
      found = this.#find(principal, tags, target);
      byTarget.set(target, found);
    }
    return found;
  }

  #find(principal: Principal, tags: readonly string[], target: Deployment): readonly ActiveBudget[] {
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
