import type { HedgeSettings, RetryBudgetLimits } from "../core/gateway-model.ts";

/** First tries count for retries this long. */
const windowMs = 10_000;
/** Hedges that were not used may be saved up for a moment when many targets are late. */
const mostSavedHedges = 10;

interface Spending {
  tries: number;
  retries: number;
  decayedMs: number;
}

/**
 * What keeps a gateway's own tries from making trouble worse: retries at one upstream stay a share of its first tries, hedges
 * a share of the requests. Keyed by configured names only, so bounded; outlives configs.
 */
export class TryBudgets {
  readonly #upstreams = new Map<string, Spending>();
  #hedges = 0;

  /** A request's first try at an upstream begins. */
  noteFirst(upstream: string, nowMs: number): void {
    this.#of(upstream, nowMs).tries++;
  }

  /** Takes one retry at this upstream, where there is one left. */
  takeRetry(upstream: string, { share, minPerSecond }: RetryBudgetLimits, nowMs: number): boolean {
    const spending = this.#of(upstream, nowMs);
    if (spending.retries + 1 > spending.tries * share + (minPerSecond * windowMs) / 1_000) return false;
    spending.retries++;
    return true;
  }

  /** A request that may be hedged begins: it adds its share of a hedge. */
  noteHedgeable({ maxShare }: HedgeSettings): void {
    this.#hedges = Math.min(mostSavedHedges, this.#hedges + maxShare);
  }

  /** Takes one hedge, where there is one left: never more than their share of the requests seen so far. */
  takeHedge(): boolean {
    // Shares are not whole: a thousandth less than one is one.
    if (this.#hedges < 0.999) return false;
    this.#hedges = Math.max(0, this.#hedges - 1);
    return true;
  }

  /** Forgets upstreams that the config no longer has. */
  sweep(names: ReadonlySet<string>): void {
    for (const name of this.#upstreams.keys()) if (!names.has(name)) this.#upstreams.delete(name);
  }

  #of(upstream: string, nowMs: number): Spending {
    let spending = this.#upstreams.get(upstream);
    if (spending === undefined) {
      spending = { tries: 0, retries: 0, decayedMs: nowMs };
      this.#upstreams.set(upstream, spending);
    }
    const left = Math.exp(-(nowMs - spending.decayedMs) / windowMs);
    spending.tries *= left;
    spending.retries *= left;
    spending.decayedMs = nowMs;
    return spending;
  }
}
