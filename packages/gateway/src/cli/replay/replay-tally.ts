import type { Placement } from "@fairlead/contract/names";
import type { Outcome } from "./decide-again.ts";
import { type LatencyMeans, ObservedLatency } from "./observed-latency.ts";
import type { PricedAgain } from "./price-again.ts";
import type { RecordedRequest } from "./recorded-request.ts";

/** One side of the comparison. */
export interface Side {
  readonly requests: number;
  readonly local: number;
  readonly cloud: number;
  /** Requests that were or would be answered with an error, by its code. */
  readonly errors: Readonly<Record<string, number>>;
  /** US dollars of the requests that have a price on both sides. */
  readonly costUsd: number;
  /** Requests without a price on this side. */
  readonly unpriced: number;
  readonly latency: LatencyMeans;
  /** Requests that left the premises, and their prompt tokens. */
  readonly leaving: { readonly requests: number; readonly promptTokens: number };
  /** Of those, requests whose data must not have left. */
  readonly boundLeaving: number;
}

/** Requests that go from one place to another for one reason. */
export interface Move {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly requests: number;
  /** Of those with a price on both sides. */
  readonly costChangeUsd: number;
  readonly unpriced: number;
}

/** One request that goes elsewhere. */
export interface Change {
  readonly id: string;
  readonly asked: string;
  readonly from: string;
  readonly fromReason: string;
  readonly to: string;
  readonly toReason: string;
  readonly rule: string | undefined;
}

export interface ReplaySummary {
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly requests: number;
  readonly moved: number;
  /** Requests with a price on both sides: what the costs are about. */
  readonly compared: number;
  /** What was recorded as their cost when it happened; undefined where the traffic does not tell. */
  readonly recordedCostUsd: number | undefined;
  readonly before: Side;
  readonly after: Side;
  readonly moves: readonly Move[];
  readonly changes: readonly Change[];
  /** Requests whose data must stay but would leave; the first hundred. */
  readonly leaks: readonly { readonly id: string; readonly target: string }[];
  readonly targets: Readonly<Record<string, LatencyMeans>>;
}

const mostMoves = 10_000;
const mostLeaks = 100;
const elsewhere = "(others)";

class SideTally {
  local = 0;
  cloud = 0;
  costUsd = 0;
  unpriced = 0;
  leavingRequests = 0;
  leavingTokens = 0;
  boundLeaving = 0;
  readonly #errors = new Map<string, number>();

  went(placement: Placement | undefined, error: string | undefined): void {
    if (error !== undefined) {
      const code = this.#errors.size < mostMoves ? error : elsewhere;
      this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
    } else if (placement === "local") this.local++;
    else this.cloud++;
  }

  left(promptTokens: number, isBound: boolean): void {
    this.leavingRequests++;
    this.leavingTokens += promptTokens;
    if (isBound) this.boundLeaving++;
  }

  side(requests: number, latency: LatencyMeans): Side {
    const { local, cloud, costUsd, unpriced, boundLeaving } = this;
    const leaving = { requests: this.leavingRequests, promptTokens: this.leavingTokens };
    const errors = Object.fromEntries([...this.#errors].sort(([, a], [, b]) => b - a));
    return { requests, local, cloud, errors, costUsd, unpriced, latency, leaving, boundLeaving };
  }
}

/** Adds up what was and what would be. Bounded, however many requests there are. */
export class ReplayTally {
  readonly #before = new SideTally();
  readonly #after = new SideTally();
  readonly #latency = new ObservedLatency();
  readonly #moves = new Map<string, { -readonly [K in keyof Move]: Move[K] }>();
  readonly #changes: Change[] = [];
  readonly #leaks: { id: string; target: string }[] = [];
  readonly #mostChanges: number;
  #requests = 0;
  #moved = 0;
  #compared = 0;
  #recorded: number | undefined;
  #fromMs: number | undefined;
  #toMs: number | undefined;

  constructor(mostChanges: number) {
    this.#mostChanges = mostChanges;
  }

  get requests(): number {
    return this.#requests;
  }

  add(request: RecordedRequest, outcome: Outcome, cost: PricedAgain): void {
    const { served, error, atMs } = request;
    const { target } = outcome;
    this.#requests++;
    this.#fromMs = Math.min(this.#fromMs ?? atMs, atMs);
    this.#toMs = Math.max(this.#toMs ?? atMs, atMs);
    this.#before.went(served?.placement, error);
    this.#after.went(target?.upstream.placement, outcome.error);
    const answeredBy = error === undefined ? served?.target : undefined;
    this.#latency.add(request, answeredBy, target?.id);
    this.#addCost(request, cost);
    this.#addLeaving(request, outcome);
    if (isMoved(request, outcome)) this.#addMove(request, outcome, cost);
  }

  #addCost({ costUsd }: RecordedRequest, { before, after }: PricedAgain): void {
    if (before === undefined) this.#before.unpriced++;
    if (after === undefined) this.#after.unpriced++;
    if (before === undefined || after === undefined) return;
    this.#compared++;
    this.#before.costUsd += before;
    this.#after.costUsd += after;
    if (costUsd !== undefined) this.#recorded = (this.#recorded ?? 0) + costUsd;
  }

  #addLeaving(request: RecordedRequest, outcome: Outcome): void {
    const { attempts, features, id } = request;
    const promptTokens =
      attempts.findLast(({ usage }) => (usage?.inputTokens ?? 0) > 0)?.usage?.inputTokens ?? features.inputTokens;
    const left = attempts.some(({ placement }) => placement === "cloud");
    if (left) this.#before.left(promptTokens, isBound(request, undefined));
    const { target } = outcome;
    const leaves = isMoved(request, outcome) ? target?.upstream.placement === "cloud" : left;
    const breaks = target !== undefined && isBound(request, target.id) && (leaves || isForbidden(request, target.id));
    if (leaves) this.#after.left(promptTokens, breaks);
    if (breaks && this.#leaks.length < mostLeaks) this.#leaks.push({ id, target: target.id });
  }

  #addMove(request: RecordedRequest, outcome: Outcome, { before, after }: PricedAgain): void {
    this.#moved++;
    const from = placeOf(request);
    const to = outcome.target?.id ?? `error ${outcome.error}`;
    const { id, asked, reason: fromReason } = request;
    if (this.#changes.length < this.#mostChanges) {
      this.#changes.push({ id, asked, from, fromReason, to, toReason: outcome.reason, rule: outcome.decision?.rule });
    }
    const isKnown = this.#moves.size < mostMoves;
    const key = isKnown ? [from, to, outcome.reason].join("\n") : elsewhere;
    const move = this.#moves.get(key) ?? {
      from: isKnown ? from : elsewhere,
      to: isKnown ? to : elsewhere,
      reason: isKnown ? outcome.reason : elsewhere,
      requests: 0,
      costChangeUsd: 0,
      unpriced: 0,
    };
    move.requests++;
    if (before === undefined || after === undefined) move.unpriced++;
    else move.costChangeUsd += after - before;
    this.#moves.set(key, move);
  }

  /** Call it once, at the end. */
  summary(): ReplaySummary {
    return {
      fromMs: this.#fromMs,
      toMs: this.#toMs,
      requests: this.#requests,
      moved: this.#moved,
      compared: this.#compared,
      recordedCostUsd: this.#recorded,
      before: this.#before.side(this.#requests, this.#latency.before),
      after: this.#after.side(this.#requests, this.#latency.after()),
      moves: [...this.#moves.values()].sort((a, b) => b.requests - a.requests),
      changes: this.#changes,
      leaks: this.#leaks,
      targets: this.#latency.targets(),
    };
  }
}

function placeOf({ error, served }: RecordedRequest): string {
  return error === undefined ? (served?.target ?? "-") : `error ${error}`;
}

/** Whether a request ends elsewhere than it did. */
export function isMoved(request: RecordedRequest, { target, error }: Pick<Outcome, "target" | "error">): boolean {
  if (request.error !== undefined) return error !== request.error;
  return target?.id !== request.served?.target;
}

const isForbidden = ({ exclusions }: RecordedRequest, target: string): boolean =>
  exclusions.some((exclusion) => exclusion.target === target && exclusion.reason === "residency");

/** Whether the record binds its data: to the premises, or away from this target. */
function isBound(request: RecordedRequest, target: string | undefined): boolean {
  const { wish, key, confinedTo, exclusions } = request;
  if (wish.localOnly || key.localOnly) return true;
  if (target !== undefined && isForbidden(request, target)) return true;
  return confinedTo === "local" && exclusions.some(({ reason }) => reason === "residency");
}
