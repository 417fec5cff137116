import type { RoutingReason } from "@fairlead/contract/names";
import type { ChatRequest } from "../core/chat.ts";
import type { Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Attempt } from "../core/exchange.ts";
import { type NanoDollars, noMoney, toDollars } from "../core/money.ts";
import type { Price } from "../core/price.ts";
import type { Principal } from "../core/principal.ts";
import { countWindow } from "../ledger/budget-window.ts";
import type { Balance, Charge, CounterStore, Reservation, Reserved } from "../ledger/counter-store.ts";
import type { OutputPredictor } from "../ledger/output-predictor.ts";
import type { PriceBook } from "../ledger/price-book.ts";
import type { ActiveBudget, BudgetBook } from "./budget-book.ts";
import type { BudgetWatch } from "./budget-watch.ts";
import { type Forecast, likely, likelyCost, most, mostCost } from "./forecast.ts";
import type { ActiveLimit, RateLimitBook } from "./rate-limit-book.ts";
import { type RateLimitState, rateLimitState } from "./rate-limit-state.ts";

/** What admission counts with; one per gateway, whatever its config says now. */
export interface AdmissionDeps {
  readonly counters: CounterStore;
  readonly budgets: BudgetBook;
  readonly limits: RateLimitBook;
  readonly prices: PriceBook;
  readonly predictor: OutputPredictor;
  readonly watch: BudgetWatch;
  readonly reserve: "predicted" | "max";
  readonly unpriced: "refuse" | "allow";
}

/** What admission knows of a request. */
export interface Admitted {
  readonly principal: Principal;
  readonly tags: readonly string[];
  readonly chat: ChatRequest;
  readonly features: Features;
  /** The request's body as it came. */
  readonly raw: string;
  /** Epoch milliseconds of its arrival: the windows it counts in. */
  readonly atMs: number;
}

/** Why one target may not be asked, although others may. */
export interface TargetRefusal {
  readonly reason: RoutingReason;
  readonly error: GatewayError;
  /** The budget keeps requests on self-hosted models instead of refusing them. */
  readonly keepsLocal: boolean;
}

/** Leave to make one attempt; `leave` settles it with what the attempt used. */
export interface Entry {
  /** Undefined when unpriced. */
  readonly price: Price | undefined;
  /** Tokens and money it is expected to need. */
  readonly forecast: Forecast;
  readonly cost: NanoDollars | undefined;
  /** Set when the attempt begins; undefined while none was made. */
  attempt: Attempt | undefined;
}

interface OpenEntry extends Entry {
  readonly reservation: Reservation;
  readonly budgets: readonly ActiveBudget[];
}

const minute = { kind: "sliding", lengthMs: 60_000 } as const;

/**
 * One request's leave to run: it reserves before each attempt, and settles what the attempt really cost after it; two may
 * be under way at a time. Its limits are reserved with the first attempt and settled at the end. Nothing stays held after
 * `close`.
 */
export class Admission {
  readonly #request: Admitted;
  readonly #deps: AdmissionDeps;
  readonly #limits: readonly ActiveLimit[];
  #client: Reservation | undefined;
  readonly #open = new Set<OpenEntry>();
  #tokens = 0;
  #closed = false;

  constructor(request: Admitted, deps: AdmissionDeps) {
    this.#request = request;
    this.#deps = deps;
    this.#limits = deps.limits.ofClient(request.principal);
  }

  /** What the client's limits have left, for the answer's headers; undefined without limits. */
  get rateLimits(): RateLimitState | undefined {
    return this.#client && rateLimitState(this.#limits, this.#client);
  }

  /**
   * Reserves for one attempt at this target; `leave` ends it.
   * @throws GatewayError `limit_reached` when the client has used up its own limit
   */
  enter(target: Deployment): Entry | TargetRefusal | Promise<Entry | TargetRefusal> {
    const { chat, features, raw, principal, tags, atMs } = this.#request;
    const { prices, predictor, reserve, budgets } = this.#deps;
    const { upstream } = target;
    const price = prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model: target.model }, atMs);
    const matching = budgets.matching(principal, tags, target);
    const forecast =
      reserve === "max"
        ? most(chat, features, Buffer.byteLength(raw), target)
        : likely(chat, features, predictor.predict(target.id, chat, features));
    const refusal = this.#unknowable(target, matching, price, forecast);
    if (refusal !== undefined) return refusal;
    const expected = forecast ?? likely(chat, features, predictor.predict(target.id, chat, features));
    const cost = price && (reserve === "max" ? mostCost(expected, price) : likelyCost(expected, price));
    const tokens = expected.inputTokens + expected.outputTokens;
    const client = this.#client === undefined ? this.#limits.flatMap((limit) => limitCharges(limit, tokens)) : [];
    const mine = [
      ...this.#deps.limits.ofUpstream(upstream.name).flatMap((limit) => limitCharges(limit, tokens)),
      ...matching.map(({ budget, account }): Charge => {
        const isCapped = budget.hard && !(budget.onExhausted === "self_hosted" && upstream.placement === "local");
        const limit = isCapped ? budget.limit : Number.POSITIVE_INFINITY;
        return { account, window: countWindow(budget.window, atMs), amount: cost ?? 0, limit };
      }),
    ];
    if (client.length === 0 && mine.length === 0) {
      return this.#opened({ reservation: emptyReservation, budgets: matching, price, forecast: expected, cost });
    }
    const accept = (reserved: Reserved): Entry | TargetRefusal => {
      if (!reserved.ok) return this.#refuse(reserved.refusal, target, matching);
      const { balances } = reserved.reservation;
      const part = (charges: readonly Charge[], from: number): Reservation => ({
        charges,
        atMs,
        balances: balances.slice(from, from + charges.length),
      });
      if (this.#client === undefined) this.#client = part(client, 0);
      const reservation = part(mine, client.length);
      const entry = this.#opened({ reservation, budgets: matching, price, forecast: expected, cost });
      // The client may have left while a shared store was asked.
      if (this.#closed) this.close();
      return entry;
    };
    const reserved = this.#deps.counters.reserve([...client, ...mine], atMs);
    return reserved instanceof Promise ? reserved.then(accept) : accept(reserved);
  }

  #opened(entry: Omit<OpenEntry, "attempt">): Entry {
    const open: OpenEntry = { ...entry, attempt: undefined };
    this.#open.add(open);
    return open;
  }

  /** Settles the attempt of an entry; more calls for the same one do nothing. */
  leave(entry: Entry): void {
    const entered = entry as OpenEntry;
    if (!this.#open.delete(entered)) return;
    const { attempt } = entered;
    const tokens = attempt === undefined ? 0 : attempt.usage.inputTokens + attempt.usage.outputTokens;
    this.#tokens += tokens;
    if (attempt !== undefined) this.#learn(attempt);
    const { reservation, budgets } = entered;
    const cost = attempt?.cost ?? noMoney;
    const money = reservation.charges.length - budgets.length;
    const actuals = reservation.charges.map((charge, i) => (i >= money ? cost : limitActual(charge, tokens)));
    this.#settle(reservation, actuals, (balances) => this.#watch(budgets, balances.slice(money)));
  }

  /** Whole answers teach how long the next one will be. */
  #learn({ target, usage, usageEstimated, error }: Attempt): void {
    const { chat, features } = this.#request;
    if (error !== undefined || usageEstimated || usage.outputTokens === 0) return;
    this.#deps.predictor.observe(target.id, chat, features, usage.outputTokens);
  }

  /** Settles whatever is still held. Once is enough; more do nothing. */
  close(): void {
    for (const entry of this.#open) this.leave(entry);
    this.#closed = true;
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    const actuals = client.charges.map((charge) => limitActual(charge, this.#tokens));
    this.#settle(client, actuals, () => {});
  }

  #settle(reservation: Reservation, actuals: readonly number[], then: (balances: readonly Balance[]) => void): void {
    if (reservation.charges.length === 0) return;
    const balances = this.#deps.counters.settle(reservation, actuals);
    if (balances instanceof Promise) balances.then(then, () => {});
    else then(balances);
  }

  #watch(budgets: readonly ActiveBudget[], balances: readonly Balance[]): void {
    const { watch } = this.#deps;
    for (const [i, { budget }] of budgets.entries()) {
      const balance = balances[i];
      if (balance !== undefined) watch.spent(budget, balance.settled as NanoDollars, this.#request.atMs);
    }
  }

  /** A hard budget cannot hold for what has no price or no end. */
  #unknowable(
    target: Deployment,
    matching: readonly ActiveBudget[],
    price: Price | undefined,
    forecast: Forecast | undefined,
  ): TargetRefusal | undefined {
    if (target.upstream.placement === "local" && price === undefined) return undefined;
    const hard = matching.find(({ budget }) => budget.hard)?.budget;
    if (hard === undefined) return undefined;
    const keepsLocal = hard.onExhausted === "self_hosted";
    if (price === undefined && this.#deps.unpriced === "refuse") {
      const error = new GatewayError(
        "budget_exhausted",
        `Nobody knows what \`${target.id}\` costs, and the budget \`${hard.name}\` counts every request. Give it a price (\`pricing.overrides\`) or set \`pricing.unpriced: allow\`.`,
        { target: target.id },
      );
      return { reason: "unpriced", error, keepsLocal };
    }
    if (forecast !== undefined) return undefined;
    const error = new GatewayError(
      "budget_exhausted",
      `Nothing bounds what \`${target.id}\` may use, and \`pricing.reserve: max\` reserves the most it can be. Send \`max_tokens\`, or set the model's \`maxOutputTokens\` and \`contextWindow\`.`,
      { target: target.id },
    );
    return { reason: "budget_exhausted", error, keepsLocal };
  }

  #refuse(
    { charge, balance, retryAfterMs }: Extract<Reserved, { ok: false }>["refusal"],
    target: Deployment,
    matching: readonly ActiveBudget[],
  ): TargetRefusal {
    const exhausted = matching.find(({ account }) => account === charge.account)?.budget;
    if (exhausted !== undefined) {
      this.#deps.watch.refused(exhausted, balance.settled as NanoDollars, this.#request.atMs);
      const ends =
        charge.window.kind === "fixed" ? ` Its window ends at ${new Date(charge.window.endMs).toISOString()}.` : "";
      const error = new GatewayError(
        "budget_exhausted",
        `The budget \`${exhausted.name}\` of ${toDollars(exhausted.limit)} $ has no room for this request: ${dollarText(balance.settled)} $ are spent and running requests hold ${dollarText(balance.held)} $.${ends}`,
        { target: target.id },
      );
      return { reason: "budget_exhausted", error, keepsLocal: exhausted.onExhausted === "self_hosted" };
    }
    const what = limitText(charge.account);
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    if (this.#limits.some((limit) => hasAccount(limit, charge.account))) {
      throw new GatewayError(
        "limit_reached",
        `Your limit of ${charge.limit} ${what} is used up: ${balance.settled + balance.held} count now, this request needs ${charge.amount}.`,
        what === "requests at one time" ? { retryAfterMs: 1_000 } : wait,
      );
    }
    const error = new GatewayError(
      "limit_reached",
      `The upstream \`${target.upstream.name}\` is at its limit of ${charge.limit} ${what}.`,
      { target: target.id, retryAfterMs: retryAfterMs ?? 1_000 },
    );
    return { reason: "upstream_limit", error, keepsLocal: false };
  }
}

const emptyReservation: Reservation = { charges: [], atMs: 0, balances: [] };

const dollarText = (nano: number): string => toDollars(nano).toFixed(6).replace(/0+$/, "").replace(/\.$/, "");

function hasAccount({ requests, tokens, running }: ActiveLimit, account: string): boolean {
  return account === requests || account === tokens || account === running;
}

function limitText(account: string): string {
  if (account.endsWith(":requests")) return "requests a minute";
  return account.endsWith(":tokens") ? "tokens a minute" : "requests at one time";
}

function limitCharges(active: ActiveLimit, tokens: number): Charge[] {
  const { requestsPerMinute, tokensPerMinute, concurrency } = active.limit;
  const charges: Charge[] = [];
  if (concurrency !== undefined)
    charges.push({ account: active.running, window: minute, amount: 1, limit: concurrency });
  if (requestsPerMinute !== undefined) {
    charges.push({ account: active.requests, window: minute, amount: 1, limit: requestsPerMinute, certain: true });
  }
  if (tokensPerMinute !== undefined) {
    charges.push({ account: active.tokens, window: minute, amount: tokens, limit: tokensPerMinute });
  }
  return charges;
}

/** What a limit's charge turns into: the tokens that were used, and nothing for a request that no longer runs. */
function limitActual({ account }: Charge, tokens: number): number {
  return account.endsWith(":tokens") ? tokens : 0;
}
