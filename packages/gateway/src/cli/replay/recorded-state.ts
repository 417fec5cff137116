import type { RoutingReason } from "@fairlead/contract/names";
import { routingReasons } from "@fairlead/contract/names";
import { protocols } from "../../codecs/registry.ts";
import { type ChatRequest, emptyChat } from "../../core/chat.ts";
import type { Deployment } from "../../core/deployment.ts";
import { errorTable } from "../../core/errors.ts";
import type { BreakerLimits, Catalogue } from "../../core/gateway-model.ts";
import { OutputPredictor } from "../../ledger/output-predictor.ts";
import { notReady } from "../../routing/not-ready.ts";
import { EventQueue } from "./event-queue.ts";
import { RecordedLiveState } from "./recorded-live-state.ts";
import type { RecordedAttempt, RecordedRequest } from "./recorded-request.ts";

/** Recorded times are whole milliseconds, what happened in them is not. */
const graceMs = 1;

/** Time stands still in traffic that is not oldest first; what waits for it must not pile up. */
const mostWaiting = 50_000;

/** Those that hold for the whole upstream. */
const ofUpstream: ReadonlySet<string> = new Set<RoutingReason>([
  "local_cold",
  "local_down",
  "local_draining",
  "cloud_down",
]);
const reasons: ReadonlyMap<string, RoutingReason> = new Map(routingReasons.map((reason) => [reason, reason]));

/** Whether an exclusion tells that the target could not be asked then. */
export const isUnready = (reason: string): boolean => (notReady as ReadonlySet<string>).has(reason);

/**
 * What routing knew when the recorded requests came, as far as the record tells: recorded attempts run again in live
 * state at their times, and targets that could not be asked cannot be asked again. Length of answers is learned likewise.
 */
export class RecordedState {
  readonly live: RecordedLiveState;
  readonly predictor = new OutputPredictor();
  readonly #events = new EventQueue();
  readonly #targets: ReadonlyMap<string, Deployment>;
  readonly #usesRecorded: boolean;
  #held: Deployment[] = [];

  constructor({ deployments }: Catalogue, limits: BreakerLimits, live: "recorded" | "ready") {
    this.live = new RecordedLiveState(limits);
    this.#targets = new Map(deployments.map((target) => [target.id, target]));
    this.#usesRecorded = live === "recorded";
  }

  /** Brings everything to the moment at which the request came. */
  arrive({ exclusions, attempts, candidates, features }: RecordedRequest, nowMs: number): void {
    this.live.hide();
    this.#events.run(nowMs + graceMs);
    this.#events.trim(mostWaiting);
    for (const target of this.#held) this.live.deployment(target).coolUntilMs = 0;
    this.#held = [];
    if (!this.#usesRecorded) return;
    const asked = new Set(attempts.map(({ target }) => target));
    for (const { target: id, reason } of exclusions) {
      const target = this.#targets.get(id);
      // What was asked all the same, as the last resort, is still out for the plan itself.
      if (target === undefined || !isUnready(reason)) continue;
      this.#hold(target, reason, nowMs);
      if (!ofUpstream.has(reason)) continue;
      for (const other of this.#targets.values())
        if (other.upstream === target.upstream && !asked.has(other.id)) this.#hold(other, reason, nowMs);
    }
    for (const { target: id, ...figures } of candidates) {
      const target = this.#targets.get(id);
      if (target !== undefined) this.live.show(target, figures, features, nowMs);
    }
  }

  #hold(target: Deployment, reason: string, nowMs: number): void {
    const state = this.live.deployment(target);
    state.coolUntilMs = nowMs + 1;
    state.coolReason = reasons.get(reason) ?? "breaker_open";
    this.#held.push(target);
  }

  /** Lets the request's recorded attempts take place, and calls `then` when it ended. */
  follow(request: RecordedRequest, nowMs: number, then: (endMs: number) => void): void {
    let beganMs = nowMs;
    for (const attempt of request.attempts) {
      const target = this.#targets.get(attempt.target);
      if (target !== undefined) this.#run(request, attempt, target, nowMs, beganMs);
      beganMs += attempt.durationMs;
    }
    const endMs = nowMs + request.durationMs;
    this.#events.add(endMs, () => then(endMs));
  }

  #run(request: RecordedRequest, attempt: RecordedAttempt, target: Deployment, cameMs: number, beganMs: number): void {
    const { features } = request;
    const { protocol } = target.upstream;
    // Some protocols are always asked for a stream, unless the client's own bytes go out.
    const streams = request.stream || (protocols[protocol].alwaysStream && request.dialect !== protocol);
    const { firstContentMs, durationMs, error, usage } = attempt;
    const endMs = beganMs + durationMs;
    const result = error === undefined ? "success" : isFailure(error) ? "failure" : "neutral";
    const learn = (): void => {
      if (usage === undefined || error !== undefined || attempt.isEstimated || usage.outputTokens === 0) return;
      this.predictor.observe(target.id, chatLike(request), features, usage.outputTokens);
    };
    if (!this.#usesRecorded) {
      this.#events.add(endMs, learn);
      return;
    }
    const { inputTokens, conversationHash } = features;
    this.#events.add(beganMs, () => {
      const running = this.live.begin(target, { inputTokens, conversationHash, streams }, beganMs);
      if (firstContentMs !== undefined) {
        const firstMs = Math.min(endMs, cameMs + firstContentMs);
        this.#events.add(firstMs, () => running.firstToken(firstMs));
      }
      this.#events.add(endMs, () => {
        running.end(result, usage?.outputTokens ?? 0, endMs);
        learn();
      });
    });
  }
}

function isFailure(error: string): boolean {
  return Object.hasOwn(errorTable, error) && errorTable[error as keyof typeof errorTable].breaker === "failure";
}

const someTool: ChatRequest["tools"][number] = { type: "function", name: "any" };
const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;

/** As much of a chat as predictions of its answer's length look at. */
export function chatLike({ features, reasoning, needs }: RecordedRequest): ChatRequest {
  const json = needs.includes("json_schema")
    ? ({ type: "json_schema", name: "any", schema: {} } as const)
    : ({ type: "json_object" } as const);
  return {
    ...emptyChat,
    tools: features.hasTools ? [someTool] : [],
    responseFormat: features.wantsJson ? json : undefined,
    reasoningEffort: efforts.find((effort) => effort === reasoning),
  };
}
