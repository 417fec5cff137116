import type { RoutingReason } from "@fairlead/contract/names";
import type { Decision } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import { notReady } from "../routing/not-ready.ts";
import type { WaitEnd, Waker } from "../routing/waker.ts";
import { type DecideDeps, type Deciding, decide } from "./decide.ts";

export interface AwaitReadyDeps {
  readonly deciding: DecideDeps;
  /** Undefined where nothing can be woken. */
  readonly waker?: Waker | undefined;
}

/** Out for a state that a wake-up may end. */
const wakeable: ReadonlySet<RoutingReason> = new Set<RoutingReason>(["local_cold", "local_down", "local_draining"]);
/** Out for a state of its own: who is served elsewhere for it still wants the model. */
const wanting: ReadonlySet<RoutingReason> = new Set<RoutingReason>([...wakeable, "local_full", "spill"]);

/**
 * Has a model woken that the decision prefers and that is not there. Undefined where the request goes on as decided at once;
 * else the decision to go on with, after a wait as long as the model's patience.
 * @throws GatewayError (as a rejection) `model_loading` when no other target may serve, as `plan` does, or why the client left
 */
export function awaitReady(
  question: Deciding,
  decision: Decision,
  exchange: Exchange,
  deps: AwaitReadyDeps,
): Promise<Decision> | undefined {
  if (decision.exclusions.length === 0) return undefined;
  const { live } = deps.deciding;
  const nowMs = exchange.clock.monotonicMs();
  const reasons = new Map(decision.exclusions.map(({ target, reason }) => [target, reason]));
  const passedOver = (target: Deployment): void => live.readinessState(target).demand.passedOver(nowMs);
  const isOut = (target: Deployment, set: ReadonlySet<RoutingReason>): boolean => {
    const reason = reasons.get(target.id);
    return reason !== undefined && set.has(reason);
  };
  const { firstChoice, targets } = decision;
  // As a last resort those that cannot serve are tried all the same: nobody else may.
  const isAlone = targets.every((target) => isOut(target, notReady));
  const preferred = firstChoice === undefined || isAlone ? targets : [firstChoice];
  const wanted = preferred.find((target) => target.upstream.wake !== undefined && isOut(target, wakeable));
  const { waker } = deps;
  if (wanted?.upstream.wake === undefined || waker === undefined) {
    if (firstChoice !== undefined && !isAlone && isOut(firstChoice, wanting)) passedOver(firstChoice);
    return undefined;
  }
  const { patienceMs, patienceAloneMs } = wanted.upstream.wake;
  const { requestMs } = decision.rules ?? {};
  const leftMs = requestMs === undefined ? Number.POSITIVE_INFINITY : exchange.startedMs + requestMs - nowMs;
  const ms = Math.min(isAlone ? patienceAloneMs : patienceMs, leftMs);
  // One that only looked unwell may still serve, whatever becomes of the model.
  const isLast = targets.every((target) => target.upstream.wake !== undefined && isOut(target, wakeable));
  if (ms > 0) return wait({ question, decision, wanted, isLast, ms }, exchange, waker, deps.deciding);
  passedOver(wanted);
  waker.want(wanted);
  return isLast ? Promise.reject(loading(wanted, waker)) : undefined;
}

interface Wait {
  readonly question: Deciding;
  readonly decision: Decision;
  readonly wanted: Deployment;
  /** Nobody else could be asked, not even as a last resort. */
  readonly isLast: boolean;
  readonly ms: number;
}

async function wait(
  { question, decision, wanted, isLast, ms }: Wait,
  exchange: Exchange,
  waker: Waker,
  deps: DecideDeps,
): Promise<Decision> {
  const { clock, client } = exchange;
  let end: WaitEnd;
  exchange.waits();
  try {
    end = await waker.ready(wanted, ms, client);
    if (end !== "ready" && isLast) throw loading(wanted, waker);
    if (end !== "ready") deps.live.readinessState(wanted).demand.passedOver(clock.monotonicMs());
  } finally {
    exchange.waited();
  }
  const again = decide(question, exchange, deps, "again");
  // What was drawn or counted once stays: the arm of an experiment, and what a share control owes.
  if (decision.experiment === undefined) return { ...again, control: decision.control };
  return end === "ready" ? first(decision, wanted) : decision;
}

/** The same decision with one target first that was left out before. */
function first(decision: Decision, wanted: Deployment): Decision {
  const targets = [wanted, ...decision.targets.filter((target) => target !== wanted)];
  const exclusions = decision.exclusions.filter(({ target }) => target !== wanted.id);
  return { ...decision, targets, exclusions, firstChoice: wanted };
}

function loading(target: Deployment, waker: Waker): GatewayError {
  const text = `\`${target.model}\` is not there yet: it is being woken, or could not be. Nothing else may serve this request.`;
  return new GatewayError("model_loading", text, { target: target.id, retryAfterMs: waker.retryAfterMs(target) });
}
