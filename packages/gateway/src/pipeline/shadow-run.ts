import { hiddenTexts } from "../codecs/hidden-texts.ts";
import { hideIn } from "../codecs/hide-in.ts";
import type { Decision } from "../core/decision.ts";
import type { Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Shadow } from "../core/gateway-model.ts";
import type { PriceBook } from "../ledger/price-book.ts";
import { Admission, type AdmissionDeps, type Entry } from "../policy/admission.ts";
import { type ActiveLimit, RateLimitBook } from "../policy/rate-limit-book.ts";
import type { Sink } from "../telemetry/sink.ts";
import type { Committed } from "./attempt.ts";
import { beginning } from "./beginning.ts";
import type { DecideDeps, Deciding } from "./decide.ts";
import type { ClientRequest } from "./prepared.ts";
import { drain, readError, readStep } from "./read-events.ts";
import { type AttemptLoopDeps, runAttempts } from "./run-attempts.ts";
import { type Accounts, settle } from "./settlement.ts";
import type { AnswerTap } from "./shadow-tap.ts";

/** What copies run with: the parts of the config that their request ran with. */
export interface ShadowRunDeps extends AttemptLoopDeps {
  readonly deciding: DecideDeps;
  readonly admission: AdmissionDeps;
  readonly accounts: Accounts;
}

/** One copy that is about to be sent. */
export interface CopyRun {
  readonly shadow: Shadow;
  readonly copy: Exchange;
  readonly question: Deciding;
  readonly request: ClientRequest;
  readonly tap: AnswerTap;
}

/** A copy is one try; more are only for parameters that its target refuses. */
const limits = {
  maxAttempts: 3,
  retriesPerTarget: 0,
  backoffMs: 0,
  maxRetryAfterMs: 0,
  retryBudget: { share: 0.2, minPerSecond: 3 },
  hedge: undefined,
  onRefusal: "answer",
  afterCut: "error",
} as const;

/** The limits of upstreams alone: what a copy does is not the client's doing. */
class UpstreamLimits extends RateLimitBook {
  readonly #book: RateLimitBook;

  constructor(book: RateLimitBook) {
    super();
    this.#book = book;
  }

  override ofClient(): readonly ActiveLimit[] {
    return [];
  }

  override ofUpstream(name: string): readonly ActiveLimit[] {
    return this.#book.ofUpstream(name);
  }
}

/** Copies save nothing, so they are compared with no reference model. */
function withoutReference(prices: PriceBook): PriceBook {
  return { priceOf: (model, atMs) => prices.priceOf(model, atMs), referencePrice: () => undefined };
}

/**
 * Asks the shadow's target, reads its answer to the end and accounts for it like any exchange: budgets, the upstream's
 * limits, the ledger. `refused`: it was never sent, and nothing of it is written. Never throws.
 */
export async function runCopy(
  { shadow, copy, question, request, tap }: CopyRun,
  deps: ShadowRunDeps,
  sinks: readonly Sink[],
): Promise<"answered" | "failed" | "refused"> {
  const { principal, chat, features } = question;
  const decision = copyDecision(shadow, question);
  copy.decision = decision;
  const rules = { ...deps.admission, limits: new UpstreamLimits(deps.admission.limits) };
  const asked = { principal, tags: copy.tags, chat, features, raw: request.raw, atMs: copy.startedAt };
  const admission = new Admission(asked, rules);
  const accounts = { ...deps.accounts, sinks, prices: withoutReference(deps.accounts.prices) };
  const run = {
    request,
    admission,
    selfHosted: () => undefined,
    begin: (target: Shadow["target"], entry: Entry) => deps.accounts.ledger.begin(beginning(copy, entry, target)),
  };
  try {
    const served = await runAttempts(run, decision, copy, { ...deps, limits });
    copy.served = served.target;
    copy.dropped = served.prepared.dropped;
    copy.markAnswered();
    if (served.committed.kind === "whole") tap.whole(served.committed.reply.body);
    else await readAll(served.committed, tap, served.target.upstream, copy);
    copy.status = 200;
    settle(copy, admission, "ok", accounts);
    return "answered";
  } catch (thrown) {
    if (copy.attempts.length === 0) {
      admission.close();
      return "refused";
    }
    const error = GatewayError.from(thrown);
    copy.error = error;
    copy.status = error.status;
    const isBrokenOff = copy.served !== undefined;
    copy.served ??= copy.attempts.at(-1)?.target;
    settle(copy, admission, isBrokenOff ? "interrupted" : "error", accounts);
    return "failed";
  }
}

/** As if its client had asked for the target itself. */
function copyDecision({ target }: Shadow, { chat, features, wish }: Deciding): Decision {
  return {
    asked: target.id,
    strategy: undefined,
    rule: undefined,
    reason: "shadow",
    firstChoice: target,
    targets: [target],
    exclusions: [],
    candidates: [],
    nearNames: [],
    features,
    needs: [...chat.needs],
    wish,
    reasoning: chat.reasoningEffort ?? "",
    confinedTo: undefined,
    experiment: undefined,
    control: undefined,
    spillCostUsd: undefined,
  };
}

/** Reads a stream that nobody waits for. */
async function readAll(
  { stream, held, done: isRead, signal, end }: Extract<Committed, { kind: "stream" }>,
  tap: AnswerTap,
  upstream: Upstream,
  copy: Exchange,
): Promise<void> {
  try {
    tap.push(held);
    for (let done = isRead; !done; ) {
      const step = await readStep(stream);
      tap.push(step.text);
      done = step.done;
    }
    if (stream.relay.error !== undefined) throw stream.relay.error;
    end.succeeded();
    drain(stream.reader, copy.clock);
  } catch (thrown) {
    const error = hideIn(readError(thrown, signal), hiddenTexts(upstream));
    end.failed(error);
    stream.reader.cancel().catch(() => {});
    throw error;
  }
}
