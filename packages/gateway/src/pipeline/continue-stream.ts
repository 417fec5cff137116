import { protocols } from "../codecs/registry.ts";
import type { Decision } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import { addUsage, noUsage } from "../core/usage.ts";
import { Hangup } from "../lib/hangup.ts";
import { attempt, type Committed } from "./attempt.ts";
import { continuedRequest } from "./continued-request.ts";
import { codecTargetOf, prepareTranslated } from "./prepare-translated.ts";
import type { ClientRequest } from "./prepared.ts";
import { tapped } from "./read-along.ts";
import type { AttemptLoopDeps, Run, Served } from "./run-attempts.ts";
import { StreamSoFar } from "./stream-so-far.ts";

/** One answer is not passed on for ever. */
const maxContinuations = 2;

type StreamCommitted = Extract<Committed, { kind: "stream" }>;

/** Whether a request's answer could be gone on with at all; what else is known only when it breaks off. */
function isContinuable({ chat }: ClientRequest): boolean {
  const { extra, responseFormat } = chat;
  const choices = extra["n"] ?? 1;
  const isPlain = responseFormat === undefined || responseFormat.type === "text";
  return (
    chat.stream && choices === 1 && isPlain && extra["logprobs"] !== true && chat.messages.at(-1)?.role !== "assistant"
  );
}

/** Reads a request's stream along, and has another target go on where it breaks off. One per request. */
export class Continuation {
  readonly #run: Run;
  readonly #exchange: Exchange;
  readonly #deps: AttemptLoopDeps;
  readonly #soFar: StreamSoFar;
  #served: Served;

  private constructor(run: Run, served: Served, exchange: Exchange, deps: AttemptLoopDeps) {
    this.#run = run;
    this.#served = served;
    this.#exchange = exchange;
    this.#deps = deps;
    this.#soFar = new StreamSoFar(run.request.dialect.name);
  }

  /** Undefined where neither the route nor everyone wants it, or the answer could not be gone on with. */
  static of(run: Run, served: Served, exchange: Exchange, deps: AttemptLoopDeps): Continuation | undefined {
    const wanted = exchange.decision?.rules?.afterCut ?? deps.limits.afterCut;
    if (wanted !== "continue" || exchange.decision?.wish.allowFallbacks === false) return undefined;
    return isContinuable(run.request) ? new Continuation(run, served, exchange, deps) : undefined;
  }

  /** The stream, read along from its first text. */
  follow(committed: StreamCommitted): StreamCommitted {
    return tapped(committed, this.#soFar);
  }

  /**
   * Asks the request's other targets, one after the other, to go on; undefined when none does. The broken attempt has
   * ended. Never rejects.
   */
  async goOn(error: GatewayError): Promise<StreamCommitted | undefined> {
    const exchange = this.#exchange;
    const { decision } = exchange;
    const { begun } = this.#soFar;
    if (decision === undefined || begun === undefined || exchange.client.reason !== undefined) return undefined;
    if (error.row.fault !== "upstream" || error.row.retryOther === "no") return undefined;
    this.#run.admission.leave(this.#served.entry);
    for (const target of this.#candidates(decision)) {
      if (exchange.continuations.length >= maxContinuations || exchange.client.reason !== undefined) return undefined;
      const served = await this.#ask(target, decision).catch(() => undefined);
      if (served === undefined) continue;
      this.#served = served;
      exchange.served = target;
      exchange.dropped = [...new Set([...exchange.dropped, ...served.prepared.dropped])];
      if (served.committed.kind === "stream") return this.follow(served.committed);
    }
    return undefined;
  }

  /** Others first, those of the broken upstream last; the broken target itself when there is nobody else. */
  #candidates({ targets, confinedTo }: Decision): readonly Deployment[] {
    const { request } = this.#run;
    const { target: broken } = this.#served;
    const asked = new Set(this.#exchange.attempts.map(({ target }) => target));
    const nowMs = this.#exchange.clock.monotonicMs();
    const able = targets.filter((target) => {
      if (confinedTo !== undefined && target.upstream.placement !== confinedTo) return false;
      if (asked.has(target) && target !== broken) return false;
      const { live } = this.#deps;
      if (live.isDrained(target.upstream.name) || !live.deployment(target).breaker.admits(nowMs)) return false;
      return protocols[target.upstream.protocol].continues(request.chat, codecTargetOf(target));
    });
    return able.sort((a, b) => nearness(a, broken) - nearness(b, broken));
  }

  async #ask(target: Deployment, { rules }: Decision): Promise<Served | undefined> {
    const exchange = this.#exchange;
    const { begun } = this.#soFar;
    const { admission, request, begin } = this.#run;
    if (begun === undefined) return undefined;
    const used = exchange.attempts.reduce((sum, { usage }) => addUsage(sum, usage), noUsage);
    const identity = { id: `chatcmpl-${exchange.id}`, createdAt: Math.floor(exchange.startedAt / 1000) };
    const protocol = protocols[target.upstream.protocol];
    const asked = continuedRequest(request, begun, used);
    const prepared = prepareTranslated(asked, target, protocol, this.#deps.policy, identity, []);
    const entry = await admission.enter(target);
    if ("reason" in entry) return undefined;
    try {
      if (exchange.client.reason !== undefined) throw exchange.client.reason;
      begin(target, entry);
      const one = { target, prepared, entry, rules, refusesRefusals: true, stop: new Hangup<GatewayError>() };
      const answering = attempt(one, exchange, this.#deps);
      if (entry.attempt !== undefined) exchange.continuations = [...exchange.continuations, entry.attempt];
      return { target, prepared, committed: await answering, entry };
    } catch (thrown) {
      admission.leave(entry);
      const error = GatewayError.from(thrown);
      if (error.code === "upstream_auth") this.#deps.alert(error, exchange.id);
      throw error;
    }
  }
}

function nearness(target: Deployment, broken: Deployment): number {
  if (target === broken) return 2;
  return target.upstream === broken.upstream ? 1 : 0;
}
