import { GatewayError } from "../core/errors.ts";
import { Exchange } from "../core/exchange.ts";
import type { Catalogue, Shadow } from "../core/gateway-model.ts";
import { fromDollars } from "../core/money.ts";
import { isRoutingTag, shadowTag } from "../core/routing-tag.ts";
import type { Charge, CounterStore, Reservation } from "../ledger/counter-store.ts";
import type { Clock } from "../lib/clock.ts";
import { likely, likelyCost } from "../policy/forecast.ts";
import type { Sink } from "../telemetry/sink.ts";
import type { Committed } from "./attempt.ts";
import type { Deciding } from "./decide.ts";
import type { ClientRequest } from "./prepared.ts";
import { tapped } from "./read-along.ts";
import { compareAnswers } from "./shadow-comparison.ts";
import { cannotTake, forbidsCopy, shadowFacts } from "./shadow-obstacle.ts";
import { runCopy, type ShadowRunDeps } from "./shadow-run.ts";
import { type ShadowResults, type ShadowSkip, ShadowTally } from "./shadow-tally.ts";
import { AnswerTap } from "./shadow-tap.ts";

/** What is held for requests that were drawn and copies that run, all shadows together; more are not drawn. */
const maxHeldBytes = 64 * 1024 * 1024;
/** What one request's answer and its comparison may take beside the request itself. */
const answerBytes = 256 * 1024;
const dayMs = 86_400_000;

export interface ShadowDeps {
  readonly fraction: () => number;
  readonly id: () => string;
  readonly counters: CounterStore;
  /** Told of copies as of exchanges, but for those that count clients' requests. */
  readonly sinks: readonly Sink[];
  readonly draining: () => boolean;
  /** Called as a copy begins, so that a drain can wait for it or end it. */
  readonly track: (copy: Exchange, settled: Promise<unknown>) => void;
}

/** A request that shadows were drawn for: it reads the client's answer along. */
export interface DrawnRequest {
  stream(committed: Extract<Committed, { kind: "stream" }>): Extract<Committed, { kind: "stream" }>;
  whole(body: string): void;
}

interface Drawn {
  readonly shadows: readonly Shadow[];
  readonly question: Deciding;
  readonly request: ClientRequest;
  readonly exchange: Exchange;
  readonly tap: AnswerTap;
  readonly deps: ShadowRunDeps;
}

/**
 * Copies some requests to targets that are tried out, after the client was answered, and compares the answers
 * (requirement B13). One per gateway, whatever its config says now. What is held is bounded; nothing waits in a queue.
 */
export class ShadowCopies {
  readonly #deps: ShadowDeps;
  readonly #tallies = new Map<string, { readonly target: string; readonly tally: ShadowTally }>();
  #heldBytes = 0;

  constructor(deps: ShadowDeps) {
    this.#deps = deps;
  }

  /** Forgets the results of shadows that are no longer configured, or have another target. */
  follow({ shadows }: Catalogue): void {
    for (const [name, { target }] of this.#tallies) {
      if (!shadows.some((shadow) => shadow.name === name && shadow.target.id === target)) this.#tallies.delete(name);
    }
  }

  results(shadow: Shadow): ShadowResults {
    return this.#tallyOf(shadow).results();
  }

  /** Draws the shadows of a request that was just decided; undefined where none is drawn. Every request. */
  draw(question: Deciding, request: ClientRequest, exchange: Exchange, deps: ShadowRunDeps): DrawnRequest | undefined {
    const { shadows } = deps.deciding.catalogue;
    if (shadows.length === 0) return undefined;
    const shares = shadows.filter(({ sample }) => this.#deps.fraction() < sample);
    if (shares.length === 0 || this.#deps.draining()) return undefined;
    const facts = shadowFacts(question, exchange, deps.deciding);
    const matching = shares.filter(({ when }) => when === undefined || when(facts));
    if (matching.length === 0) return undefined;
    const drawn = matching.filter((shadow) => {
      const tally = this.#tallyOf(shadow);
      tally.drawn++;
      const why = this.#forbids(shadow, question, exchange, deps, facts);
      if (why !== undefined) tally.skip(why);
      return why === undefined;
    });
    if (drawn.length === 0) return undefined;
    const bytes = request.raw.length * 2 + answerBytes;
    if (this.#heldBytes + bytes > maxHeldBytes) {
      for (const shadow of drawn) this.#tallyOf(shadow).skip("memory");
      return undefined;
    }
    this.#heldBytes += bytes;
    const tap = new AnswerTap(request.dialect.name);
    const held: Drawn = { shadows: drawn, question, request, exchange, tap, deps };
    exchange.whenSettled(() => this.#answered(held, bytes));
    return { stream: (committed) => tapped(committed, tap), whole: (body) => tap.whole(body) };
  }

  #forbids(
    shadow: Shadow,
    question: Deciding,
    exchange: Exchange,
    { deciding }: ShadowRunDeps,
    facts: ReturnType<typeof shadowFacts>,
  ): ShadowSkip | undefined {
    if (exchange.decision === undefined) return "residency";
    try {
      return forbidsCopy(shadow, question, exchange.decision, facts, deciding);
    } catch {
      return "residency";
    }
  }

  /** The client's exchange settles at this moment: its copies begin after its last byte is on the way. */
  #answered(drawn: Drawn, bytes: number): void {
    const copies = drawn.shadows.flatMap((shadow) => this.#begin(shadow, drawn));
    const release = (): void => {
      this.#heldBytes -= bytes;
    };
    if (copies.length === 0) release();
    else void Promise.allSettled(copies).then(release);
  }

  #begin(shadow: Shadow, drawn: Drawn): Promise<void>[] {
    const { exchange, question } = drawn;
    const tally = this.#tallyOf(shadow);
    const why = this.#obstacle(shadow, drawn, tally);
    if (why !== undefined) {
      tally.skip(why);
      return [];
    }
    const { id } = this.#deps;
    const { dialect, clock, hops } = exchange;
    const copy = new Exchange({ id: id(), dialect, clock, hops });
    copy.principal = question.principal;
    copy.asked = shadow.target.id;
    copy.stream = exchange.stream;
    // An arm's results are its own: what a copy cost is the shadow's.
    copy.tags = [shadowTag(shadow.name), ...exchange.tags.filter((tag) => !isRoutingTag(tag))];
    tally.running++;
    const done = this.#copy(shadow, copy, drawn, tally)
      .catch((thrown: unknown) => {
        tally.failed++;
        for (const sink of this.#deps.sinks) sink.operatorAlert(GatewayError.from(thrown), copy.id);
      })
      .finally(() => {
        tally.running--;
      });
    this.#deps.track(copy, done);
    return [done];
  }

  #obstacle(shadow: Shadow, { exchange, question, deps }: Drawn, tally: ShadowTally): ShadowSkip | undefined {
    if (exchange.outcome !== "ok") return "not_ok";
    if (this.#deps.draining()) return "draining";
    // A budget may have confined the request since it was decided.
    const { confinedTo } = exchange.decision ?? {};
    if (confinedTo !== undefined && confinedTo !== shadow.target.upstream.placement) return "residency";
    if (tally.running >= shadow.maxConcurrent) return "busy";
    return cannotTake(shadow, question, deps.deciding, exchange.clock.monotonicMs());
  }

  async #copy(shadow: Shadow, copy: Exchange, drawn: Drawn, tally: ShadowTally): Promise<void> {
    const { exchange, question, request, tap, deps } = drawn;
    await nextTurn(copy.clock);
    if (this.#deps.draining() || copy.client.reason !== undefined) return tally.skip("draining");
    const hold = await this.#holdDay(shadow, question, copy, deps);
    if (typeof hold === "string") return tally.skip(hold);
    const copyTap = new AnswerTap(request.dialect.name);
    try {
      const ended = await runCopy({ shadow, copy, question, request, tap: copyTap }, deps, this.#deps.sinks);
      if (ended === "refused") return tally.skip("refused");
      if (ended === "failed") {
        tally.failed++;
        return;
      }
      tally.answered++;
      const [client, other] = [tap.answer(), copyTap.answer()];
      if (client === undefined || other === undefined) return;
      const comparison = compareAnswers(client, other, question.features.wantsJson);
      tally.compared(comparison, differences(exchange, copy));
    } finally {
      if (hold !== undefined) await this.#deps.counters.settle(hold, [copy.cost ?? 0]);
    }
  }

  /** Holds what a copy will likely cost against the shadow's day; tells why it may not run. */
  async #holdDay(
    { name, target, maxUsdPerDay }: Shadow,
    { chat, features }: Deciding,
    copy: Exchange,
    { deciding: { prices, predictor } }: ShadowRunDeps,
  ): Promise<Reservation | ShadowSkip | undefined> {
    if (maxUsdPerDay === undefined) return undefined;
    const { upstream, model } = target;
    const atMs = copy.startedAt;
    const price = prices.priceOf({ upstream: upstream.name, provider: upstream.provider, model }, atMs);
    if (price === undefined && upstream.placement === "cloud") return "unpriced";
    const forecast = likely(chat, features, predictor.predict(target.id, chat, features));
    const charge: Charge = {
      account: `shadow:${name}:cost`,
      window: { kind: "sliding", lengthMs: dayMs },
      amount: price === undefined ? 0 : likelyCost(forecast, price),
      limit: fromDollars(maxUsdPerDay),
    };
    const reserved = await this.#deps.counters.reserve([charge], atMs);
    return reserved.ok ? reserved.reservation : "cap";
  }

  #tallyOf({ name, target }: Shadow): ShadowTally {
    let found = this.#tallies.get(name);
    if (found === undefined || found.target !== target.id) {
      found = { target: target.id, tally: new ShadowTally() };
      this.#tallies.set(name, found);
    }
    return found.tally;
  }
}

/** Lets the client's last bytes go first. */
function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(0, resolve));
}

/** Of the two attempts that answered: what came before them was not the target's doing. */
function differences(exchange: Exchange, copy: Exchange) {
  const [client, other] = [exchange.attempts.at(-1), copy.attempts.at(-1)];
  const duration = (attempt: typeof client): number => (attempt?.endedMs ?? 0) - (attempt?.startedMs ?? 0);
  const first = (attempt: typeof client): number | undefined =>
    attempt?.firstContentMs === undefined ? undefined : attempt.firstContentMs - attempt.startedMs;
  const minus = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined || b === undefined ? undefined : a - b;
  return {
    durationMs: duration(other) - duration(client),
    firstContentMs: exchange.stream ? minus(first(other), first(client)) : undefined,
    cost: minus(other?.cost, client?.cost),
  };
}
