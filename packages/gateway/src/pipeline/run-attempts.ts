import type { RoutingReason } from "@fairlead/contract/names";
import type { TranslationPolicy } from "../codecs/codec.ts";
import { protocols } from "../codecs/registry.ts";
import type { Decision } from "../core/decision.ts";
import type { Deployment, Upstream } from "../core/deployment.ts";
import { GatewayError, type Repair } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { AttemptLimits, HedgeSettings } from "../core/gateway-model.ts";
import { Hangup } from "../lib/hangup.ts";
import type { Randomness } from "../lib/ids.ts";
import type { Admission, Entry, TargetRefusal } from "../policy/admission.ts";
import type { TryBudgets } from "../routing/try-budgets.ts";
import { type AttemptDeps, attempt, type Committed } from "./attempt.ts";
import { hedgeDelay, hedgeSettings, hedgeTarget } from "./hedge.ts";
import { mostUseful } from "./most-useful.ts";
import { prepare } from "./prepare.ts";
import type { ClientRequest, Prepared, ReplyIdentity } from "./prepared.ts";
import { canRepair, retryWait } from "./retry-wait.ts";
import { sleep } from "./sleep.ts";

export interface AttemptLoopDeps extends AttemptDeps {
  readonly limits: AttemptLimits;
  readonly policy: TranslationPolicy;
  readonly randomness: Randomness;
  readonly budgets: TryBudgets;
  /** Told what an operator must mend, although another target may save the request. */
  readonly alert: (error: GatewayError, exchangeId: string) => void;
}

/** The one that answered, and the request it was asked with. */
export interface Served {
  readonly target: Deployment;
  readonly prepared: Prepared;
  readonly committed: Committed;
  readonly entry: Entry;
}

/** What one request's attempts share. */
export interface Run {
  readonly request: ClientRequest;
  readonly admission: Admission;
  /** The plan for when a budget keeps the request on self-hosted models; undefined when there is none. */
  readonly selfHosted: () => Decision | undefined;
  /** Called before each attempt is sent. */
  readonly begin: (target: Deployment, entry: Entry) => void;
}

/**
 * Tries the decision's targets in order until one commits. What may be retried, where and after which wait is the
 * error table's business; the limits bound it. Each attempt is reserved before and settled after. Where hedging is on, a
 * second target may run beside a late one, and the first content wins.
 * @throws GatewayError the failure most useful to the client when every target failed
 */
export function runAttempts(run: Run, decision: Decision, exchange: Exchange, deps: AttemptLoopDeps): Promise<Served> {
  return new AttemptLoop(run, decision, exchange, deps).run();
}

/** How the tries at one target ended. */
type Tried = { readonly target: Deployment } & (
  | { readonly served: Served }
  | { readonly refusal: TargetRefusal }
  | { readonly error: GatewayError }
);

/** One request's tries: what is left to ask, and what came of the others. */
class AttemptLoop {
  readonly #run: Run;
  readonly #decision: Decision;
  readonly #exchange: Exchange;
  readonly #deps: AttemptLoopDeps;
  readonly #hedge: HedgeSettings | undefined;
  readonly #failures: GatewayError[] = [];
  readonly #refusals: TargetRefusal[] = [];
  /** Of the tries under way. */
  readonly #stops = new Set<Hangup<GatewayError>>();
  #left: readonly Deployment[];
  #windowAbove = 0;
  #switched = false;
  #deadline: GatewayError | undefined;

  constructor(run: Run, decision: Decision, exchange: Exchange, deps: AttemptLoopDeps) {
    this.#run = run;
    this.#decision = decision;
    this.#exchange = exchange;
    this.#deps = deps;
    this.#left = decision.targets;
    this.#hedge = hedgeSettings(decision, deps.limits.hedge);
    if (this.#hedge !== undefined) deps.budgets.noteHedgeable(this.#hedge);
  }

  async run(): Promise<Served> {
    const cancelDeadline = this.#startDeadline();
    try {
      for (;;) {
        const target = this.#next();
        if (target === undefined) break;
        const served = await this.#ask(target);
        if (served !== undefined) return served;
      }
    } finally {
      cancelDeadline?.();
    }
    const tried = this.#failures.some(({ code }) => code !== "capability_unavailable");
    const refusal = this.#refusals[0];
    if (!tried && refusal !== undefined) throw refusal.error;
    throw mostUseful(this.#failures, this.#decision);
  }

  /** A route may say how long a request waits for its answer to begin, over all tries. */
  #startDeadline(): (() => void) | undefined {
    const limitMs = this.#decision.rules?.requestMs;
    if (limitMs === undefined) return undefined;
    const { clock, startedMs } = this.#exchange;
    return clock.after(Math.max(1, startedMs + limitMs - clock.monotonicMs()), () => {
      this.#deadline = new GatewayError("deadline_exceeded", `No answer had begun within ${limitMs} ms.`);
      for (const stop of this.#stops) stop.hangUp(this.#deadline);
    });
  }

  /** Takes the next target to ask; the last try is kept for a placement that was not asked yet, where there is one. */
  #next(): Deployment | undefined {
    const { attempts } = this.#exchange;
    for (;;) {
      if (this.#left.length === 0 && !this.#staysLocal()) return undefined;
      const isLastTry = attempts.length >= this.#deps.limits.maxAttempts - 1;
      const asked = isLastTry ? new Set(attempts.map((attempt) => attempt.target.upstream.placement)) : undefined;
      const elsewhere = asked && this.#left.find((target) => !asked.has(target.upstream.placement));
      const target = elsewhere ?? this.#left[0]!;
      this.#left = this.#left.filter((other) => other !== target);
      if (!this.#isTooSmall(target) && !(this.#failures.length > 0 && this.#left.length > 0 && !this.#admits(target)))
        return target;
    }
  }

  #isTooSmall({ contextWindow }: Deployment): boolean {
    return contextWindow !== undefined && contextWindow <= this.#windowAbove;
  }

  /** The plan is a moment old by now: others may have opened this breaker or taken its trials. */
  #admits(target: Deployment): boolean {
    return this.#deps.live.deployment(target).breaker.admits(this.#exchange.clock.monotonicMs());
  }

  /** A budget that is used up leaves the self-hosted models, where the request may go to them; once. */
  #staysLocal(): boolean {
    if (this.#switched || !this.#refusals.some(({ keepsLocal }) => keepsLocal)) return false;
    this.#switched = true;
    if (this.#decision.confinedTo === "cloud") return false;
    const exchange = this.#exchange;
    const local = this.#run.selfHosted();
    if (local === undefined || exchange.decision === undefined) return false;
    exchange.decision = { ...exchange.decision, reason: "budget_exhausted", confinedTo: "local" };
    this.#left = local.targets.filter((target) => !this.#decision.targets.includes(target));
    return this.#left.length > 0;
  }

  /** Asks one target, and another beside it when it is late and that is wanted. */
  async #ask(target: Deployment): Promise<Served | undefined> {
    const delayMs = this.#hedgeDelay(target);
    const stop = new Hangup<GatewayError>();
    const first = this.#try(target, stop, this.#deps.limits.retriesPerTarget);
    if (delayMs === undefined || (await this.#isDone(first, delayMs))) return this.#note(await first);
    const other = hedgeTarget(this.#left, target);
    if (other === undefined || !this.#mayHedge(other)) return this.#note(await first);
    this.#left = this.#left.filter((one) => one !== other);
    return this.#race(target, first, stop, other);
  }

  #hedgeDelay(target: Deployment): number | undefined {
    // A request is hedged once.
    if (this.#hedge === undefined || this.#exchange.hedge !== undefined) return undefined;
    const { latency } = this.#deps.live.deployment(target);
    return hedgeDelay(this.#hedge, latency, this.#exchange.stream);
  }

  #mayHedge(other: Deployment): boolean {
    const { attempts, client } = this.#exchange;
    if (client.reason !== undefined || attempts.length === 0 || attempts.length >= this.#deps.limits.maxAttempts)
      return false;
    return !this.#isTooSmall(other) && this.#admits(other) && this.#deps.budgets.takeHedge();
  }

  #isDone(tried: Promise<Tried>, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#exchange.clock.after(ms, () => resolve(false));
      void tried.then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  /** Two targets run; the one that commits first ends the other. Both are paid for. */
  async #race(
    late: Deployment,
    first: Promise<Tried>,
    stopFirst: Hangup<GatewayError>,
    other: Deployment,
  ): Promise<Served | undefined> {
    const stopSecond = new Hangup<GatewayError>();
    const second = this.#try(other, stopSecond, 0, true);
    const winner = await firstServed(first, second);
    if (winner === undefined) {
      const [one, two] = [await first, await second];
      this.#note(one);
      return this.#note(two);
    }
    const isFirst = winner.target === late;
    const lost = new GatewayError("superseded", "Another target answered first.");
    (isFirst ? stopSecond : stopFirst).hangUp(lost);
    void (isFirst ? second : first).then((tried) => {
      letGo(tried);
      if ("served" in tried) this.#run.admission.leave(tried.served.entry);
    });
    this.#rank(winner, lost);
    return winner;
  }

  /** The attempt that answered comes last; one that still ran was given up for it. */
  #rank({ entry: { attempt: answered } }: Served, lost: GatewayError): void {
    const { attempts, clock, stream } = this.#exchange;
    for (const attempt of attempts) {
      if (attempt === answered || attempt.endedMs !== undefined) continue;
      // The exchange may settle before the attempt has heard of it.
      attempt.error = lost;
      const { latency } = this.#deps.live.deployment(attempt.target);
      if (attempt !== this.#exchange.hedge) latency.noteGivenUp(stream, clock.monotonicMs() - attempt.startedMs);
    }
    if (answered === undefined) return;
    attempts.splice(attempts.indexOf(answered), 1);
    attempts.push(answered);
  }

  /** Remembers how a target's tries ended; throws where no other may be asked. */
  #note(tried: Tried): Served | undefined {
    if ("served" in tried) return tried.served;
    const { target } = tried;
    if ("refusal" in tried) {
      this.#refusals.push(tried.refusal);
      this.#exclude(target, tried.refusal.reason);
      return undefined;
    }
    const { error } = tried;
    this.#failures.push(error);
    if (this.#exchange.client.reason !== undefined || this.#deadline !== undefined || !this.#mayGoOn(error))
      throw error;
    if (error.row.retryOther === "larger-window")
      this.#windowAbove = Math.max(this.#windowAbove, target.contextWindow ?? error.detail.limit ?? 0);
    if (error.row.breaker === "failure")
      this.#left = behindOthers(this.#left, target.upstream, error.detail.refused === true);
    return undefined;
  }

  /** Notes that a target was left out after the plan was made. */
  #exclude(target: Deployment, reason: RoutingReason): void {
    const { decision } = this.#exchange;
    if (decision === undefined) return;
    this.#exchange.decision = {
      ...decision,
      reason: target === decision.firstChoice ? reason : decision.reason,
      exclusions: [...decision.exclusions, { target: target.id, reason }],
    };
  }

  #mayGoOn(error: GatewayError): boolean {
    if (this.#exchange.attempts.length >= this.#deps.limits.maxAttempts) return false;
    // A request this target's format cannot express was never sent; the next one may speak another.
    if (error.row.retryOther !== "no" || error.code === "capability_unavailable") return true;
    return error.code === "content_policy" && this.#onRefusal === "fallback";
  }

  get #onRefusal() {
    return this.#decision.rules?.onRefusal ?? this.#deps.limits.onRefusal;
  }

  /** Asks one target, again where its error allows that; or tells why it may not be asked. Never rejects. */
  async #try(target: Deployment, stop: Hangup<GatewayError>, mostRetries: number, isHedge = false): Promise<Tried> {
    this.#stops.add(stop);
    try {
      if (this.#deadline !== undefined) throw this.#deadline;
      const outcome = await this.#tryTarget(target, stop, mostRetries, isHedge);
      return "committed" in outcome ? { target, served: outcome } : { target, refusal: outcome };
    } catch (thrown) {
      const error = GatewayError.from(thrown);
      // Here and not where failures are weighed: another target may have answered first.
      if (error.code === "upstream_auth") this.#deps.alert(error, this.#exchange.id);
      return { target, error };
    } finally {
      this.#stops.delete(stop);
    }
  }

  async #tryTarget(
    target: Deployment,
    stop: Hangup<GatewayError>,
    mostRetries: number,
    isHedge: boolean,
  ): Promise<Served | TargetRefusal> {
    const exchange = this.#exchange;
    const { request, admission, begin } = this.#run;
    const { policy, budgets, limits } = this.#deps;
    const protocol = protocols[target.upstream.protocol];
    const identity: ReplyIdentity = { id: `chatcmpl-${exchange.id}`, createdAt: Math.floor(exchange.startedAt / 1000) };
    const { rules } = this.#decision;
    const repairs: Repair[] = [];
    let earlier: GatewayError | undefined;
    budgets.noteFirst(target.upstream.name, exchange.clock.monotonicMs());
    for (let retries = 0; ; ) {
      const prepared = prepare(request, target, protocol, policy, identity, repairs);
      const entering = admission.enter(target);
      const entry = entering instanceof Promise ? await entering : entering;
      if ("reason" in entry) {
        if (earlier !== undefined) throw earlier;
        return entry;
      }
      try {
        // A shared store takes its time: who is no longer wanted by then begins nothing and owes nothing.
        const over = exchange.client.reason ?? stop.reason;
        if (over !== undefined) throw over;
        begin(target, entry);
        const one = { target, prepared, entry, rules, stop, refusesRefusals: this.#onRefusal === "fallback" };
        const answering = attempt(one, exchange, this.#deps);
        if (isHedge) exchange.hedge = entry.attempt;
        return { target, prepared, committed: await answering, entry };
      } catch (thrown) {
        const error = GatewayError.from(thrown);
        earlier = error;
        admission.leave(entry);
        if (exchange.client.reason !== undefined || stop.reason !== undefined) throw error;
        if (exchange.attempts.length >= limits.maxAttempts) throw error;
        if (canRepair(error.detail.repair, repairs)) {
          repairs.push(error.detail.repair);
          continue;
        }
        if (retries >= mostRetries || !(await this.#waitForRetry(error, retries, target, stop))) throw error;
        retries++;
      }
    }
  }

  /** Waits before the same target is asked again; false where it may not be. */
  async #waitForRetry(
    error: GatewayError,
    retries: number,
    { upstream }: Deployment,
    stop: Hangup<GatewayError>,
  ): Promise<boolean> {
    const { limits, randomness, budgets } = this.#deps;
    const hasOther = this.#left.length > 0;
    // The last try belongs to another target where there is one.
    if (hasOther && this.#exchange.attempts.length >= limits.maxAttempts - 1) return false;
    const waitMs = retryWait(error, retries, hasOther, limits, randomness);
    if (waitMs === undefined) return false;
    if (!budgets.takeRetry(upstream.name, limits.retryBudget, this.#exchange.clock.monotonicMs())) return false;
    await this.#backOff(waitMs, stop);
    return true;
  }

  async #backOff(waitMs: number, stop: Hangup<GatewayError>): Promise<void> {
    const exchange = this.#exchange;
    exchange.waits();
    try {
      await sleep(waitMs, exchange.clock, exchange.client, stop);
    } finally {
      exchange.waited();
    }
  }
}

/** The first of two that commits; undefined when neither does. */
function firstServed(one: Promise<Tried>, two: Promise<Tried>): Promise<Served | undefined> {
  return new Promise((resolve) => {
    let pending = 2;
    const done = (tried: Tried): void => {
      pending--;
      if ("served" in tried) resolve(tried.served);
      else if (pending === 0) resolve(undefined);
    };
    void one.then(done);
    void two.then(done);
  });
}

/** An answer that began in the same moment as the one that is used. */
function letGo(tried: Tried): void {
  if (!("served" in tried) || tried.served.committed.kind !== "stream") return;
  const { end, stream } = tried.served.committed;
  end.abandoned();
  stream.reader.cancel().catch(() => {});
}

/** An upstream that fails is likely to fail with its other models too: they come last, or not at all if nobody is there. */
function behindOthers(left: readonly Deployment[], upstream: Upstream, isGone: boolean): readonly Deployment[] {
  const others = left.filter((target) => target.upstream !== upstream);
  return isGone ? others : [...others, ...left.filter((target) => target.upstream === upstream)];
}
