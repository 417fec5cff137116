import type { RoutingReason } from "@fairlead/contract/names";
import type { TranslationPolicy } from "../codecs/codec.ts";
import { protocols } from "../codecs/registry.ts";
import type { Decision } from "../core/decision.ts";
import type { Deployment, Upstream } from "../core/deployment.ts";
import { type ErrorCode, GatewayError, type Repair } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { AttemptLimits } from "../core/gateway-model.ts";
import type { Randomness } from "../lib/ids.ts";
import type { Admission, TargetRefusal } from "../policy/admission.ts";
import { type AttemptDeps, attempt, type Committed } from "./attempt.ts";
import { prepare } from "./prepare.ts";
import type { ClientRequest, Prepared, ReplyIdentity } from "./prepared.ts";
import { sleep } from "./sleep.ts";

export interface AttemptLoopDeps extends AttemptDeps {
  readonly limits: AttemptLimits;
  readonly policy: TranslationPolicy;
  readonly randomness: Randomness;
}

/** The one that answered, and the request it was asked with. */
export interface Served {
  readonly target: Deployment;
  readonly prepared: Prepared;
  readonly committed: Committed;
}

/** What one request's attempts share. */
export interface Run {
  readonly request: ClientRequest;
  readonly admission: Admission;
  /** The plan for when a budget keeps the request on self-hosted models; undefined when there is none. */
  readonly selfHosted: () => Decision | undefined;
  /** Called before each attempt is sent. */
  readonly begin: (target: Deployment) => void;
}

/**
 * Tries the decision's targets in order until one commits. What may be retried, where and after which wait is the
 * error table's business; the limits bound it. Each attempt is reserved before and settled after.
 * @throws GatewayError the failure most useful to the client when every target failed
 */
export async function runAttempts(
  run: Run,
  decision: Decision,
  exchange: Exchange,
  deps: AttemptLoopDeps,
): Promise<Served> {
  const failures: GatewayError[] = [];
  const refusals: TargetRefusal[] = [];
  let left: readonly Deployment[] = decision.targets;
  let windowAbove = 0;
  let switched = false;
  for (;;) {
    if (left.length === 0) {
      if (switched || !refusals.some(({ keepsLocal }) => keepsLocal)) break;
      switched = true;
      left = stayLocal(run, decision, exchange);
      continue;
    }
    const target = next(left, exchange, deps.limits);
    left = left.filter((other) => other !== target);
    const { upstream, contextWindow } = target;
    if (contextWindow !== undefined && contextWindow <= windowAbove) continue;
    // The plan is a moment old by now: others may have opened this breaker or taken its trials.
    const { breaker } = deps.live.deployment(target);
    if (failures.length > 0 && left.length > 0 && !breaker.admits(exchange.clock.monotonicMs())) continue;
    try {
      const outcome = await tryTarget(run, target, left.length > 0, exchange, deps);
      if ("committed" in outcome) return outcome;
      refusals.push(outcome);
      exclude(target, outcome.reason, exchange);
    } catch (thrown) {
      const error = GatewayError.from(thrown);
      failures.push(error);
      if (exchange.client.reason !== undefined || !mayGoOn(error, exchange, deps.limits)) throw error;
      if (error.row.retryOther === "larger-window")
        windowAbove = Math.max(windowAbove, contextWindow ?? error.detail.limit ?? 0);
      if (error.row.breaker === "failure") left = behindOthers(left, upstream, error.detail.refused === true);
    }
  }
  const tried = failures.some(({ code }) => code !== "capability_unavailable");
  const refusal = refusals[0];
  if (!tried && refusal !== undefined) throw refusal.error;
  throw mostUseful(failures, decision);
}

/** Notes that a target was left out after the plan was made. */
function exclude(target: Deployment, reason: RoutingReason, exchange: Exchange): void {
  const { decision } = exchange;
  if (decision === undefined) return;
  exchange.decision = {
    ...decision,
    reason: target === decision.firstChoice ? reason : decision.reason,
    exclusions: [...decision.exclusions, { target: target.id, reason }],
  };
}

/** A budget that is used up leaves the self-hosted models, where the request may go to them. */
function stayLocal({ selfHosted }: Run, { targets, confinedTo }: Decision, exchange: Exchange): readonly Deployment[] {
  if (confinedTo === "cloud") return [];
  const local = selfHosted();
  if (local === undefined || exchange.decision === undefined) return [];
  exchange.decision = { ...exchange.decision, reason: "budget_exhausted", confinedTo: "local" };
  return local.targets.filter((target) => !targets.includes(target));
}

/** The next target; the last try is kept for a placement that was not asked yet, where there is one. */
function next(left: readonly Deployment[], exchange: Exchange, limits: AttemptLimits): Deployment {
  const isLastTry = exchange.attempts.length >= limits.maxAttempts - 1;
  const asked = new Set(exchange.attempts.map((attempt) => attempt.target.upstream.placement));
  const elsewhere = isLastTry ? left.find((target) => !asked.has(target.upstream.placement)) : undefined;
  return elsewhere ?? left[0]!;
}

/** An upstream that fails is likely to fail with its other models too: they come last, or not at all if nobody is there. */
function behindOthers(left: readonly Deployment[], upstream: Upstream, isGone: boolean): readonly Deployment[] {
  const others = left.filter((target) => target.upstream !== upstream);
  return isGone ? others : [...others, ...left.filter((target) => target.upstream === upstream)];
}

function mayGoOn(error: GatewayError, exchange: Exchange, limits: AttemptLimits): boolean {
  if (exchange.attempts.length >= limits.maxAttempts) return false;
  // A request this target's format cannot express was never sent; the next one may speak another.
  return error.row.retryOther !== "no" || error.code === "capability_unavailable";
}

/** Asks one target, again where its error allows that; or tells why it may not be asked. */
async function tryTarget(
  { request, admission, begin }: Run,
  target: Deployment,
  hasOther: boolean,
  exchange: Exchange,
  deps: AttemptLoopDeps,
): Promise<Served | TargetRefusal> {
  const protocol = protocols[target.upstream.protocol];
  const identity: ReplyIdentity = { id: `chatcmpl-${exchange.id}`, createdAt: Math.floor(exchange.startedAt / 1000) };
  const repairs: Repair[] = [];
  let earlier: GatewayError | undefined;
  for (let retries = 0; ; ) {
    const prepared = prepare(request, target, protocol, deps.policy, identity, repairs);
    const entering = admission.enter(target);
    const refusal = entering instanceof Promise ? await entering : entering;
    if (refusal !== undefined) {
      if (earlier !== undefined) throw earlier;
      return refusal;
    }
    const before = exchange.attempts.length;
    try {
      begin(target);
      return { target, prepared, committed: await attempt(target, prepared, admission.price, exchange, deps) };
    } catch (thrown) {
      const error = GatewayError.from(thrown);
      earlier = error;
      // Of its own attempt only: where it could not even begin, the last one belongs to an earlier reservation.
      admission.leave(exchange.attempts[before]);
      if (exchange.client.reason !== undefined || exchange.attempts.length >= deps.limits.maxAttempts) throw error;
      if (canRepair(error.detail.repair, repairs)) {
        repairs.push(error.detail.repair);
        continue;
      }
      const mayRetry = retries < deps.limits.retriesPerTarget && !lastTryIsPromised(hasOther, exchange, deps.limits);
      const waitMs = mayRetry ? retryWait(error, retries, hasOther, deps) : undefined;
      if (waitMs === undefined) throw error;
      retries++;
      await backOff(waitMs, exchange);
    }
  }
}

/** The last try belongs to another target where there is one. */
function lastTryIsPromised(hasOther: boolean, exchange: Exchange, limits: AttemptLimits): boolean {
  return hasOther && exchange.attempts.length >= limits.maxAttempts - 1;
}

function canRepair(repair: Repair | undefined, done: readonly Repair[]): repair is Repair {
  if (repair === undefined || repair.type === "use-endpoint") return false;
  return done.length < 3 && !done.some((earlier) => JSON.stringify(earlier) === JSON.stringify(repair));
}

/** How long to wait before the same target is asked again; undefined for not at all. */
function retryWait(error: GatewayError, retries: number, hasOther: boolean, deps: AttemptLoopDeps): number | undefined {
  const { limits, randomness } = deps;
  const { retrySame } = error.row;
  // The request met a pooled connection that the upstream was closing: a fresh one is tried at once, and only once.
  if (error.detail.reset === true && retries === 0) return 0;
  if (retrySame === "no" || error.detail.repair !== undefined) return undefined;
  // Waiting for a busy or absent target is worth it only where nobody else can serve.
  if (hasOther && (retrySame === "after-wait" || error.detail.refused === true)) return undefined;
  const hint = error.detail.retryAfterMs;
  if (hint !== undefined && hint > limits.maxRetryAfterMs) return undefined;
  const jittered = randomness.fraction() * limits.backoffMs * 2 ** retries;
  return hint === undefined ? jittered : hint + jittered / 4;
}

async function backOff(waitMs: number, exchange: Exchange): Promise<void> {
  const startedMs = exchange.clock.monotonicMs();
  await sleep(waitMs, exchange.clock, exchange.client);
  exchange.waitedMs += exchange.clock.monotonicMs() - startedMs;
}

/** Errors that tell a client most come first (wire-formats 7.2). */
const usefulness: readonly ErrorCode[] = ["context_length_exceeded", "rate_limited", "overloaded"];

function mostUseful(failures: readonly GatewayError[], { exclusions, asked }: Decision): GatewayError {
  for (const code of usefulness) {
    const found = failures.filter((failure) => failure.code === code);
    const shortest = found.sort((a, b) => (a.detail.retryAfterMs ?? Infinity) - (b.detail.retryAfterMs ?? Infinity))[0];
    if (shortest !== undefined) return shortest;
  }
  // That one target cannot express the request says nothing of the one that could and failed, or was left out.
  const tried = failures.findLast((failure) => failure.code !== "capability_unavailable");
  const waiting = exclusions.filter(({ reason }) => reason !== "capability" && reason !== "context_window");
  if (tried === undefined && waiting.length > 0) {
    const list = waiting.map(({ target, reason }) => `${target}: ${reason}`).join("; ");
    return new GatewayError(
      "no_target_available",
      `The targets for \`${asked}\` that can do this cannot serve now (${list}).`,
    );
  }
  return tried ?? failures.at(-1) ?? new GatewayError("no_target_available", "No target could serve this request.");
}
