import type { Decision } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Attempt, Exchange, Refusal } from "../core/exchange.ts";
import type { AttemptRecord, ExchangeRecord, RecordedKey, RoutingRecord, ServedBy } from "../core/exchange-record.ts";
import type { NanoDollars } from "../core/money.ts";
import type { Principal } from "../core/principal.ts";
import type { RoutingWish } from "../core/routing-wish.ts";

/** A deployment as records name it. */
export function servedBy({ id, upstream, model }: Deployment): ServedBy {
  return { target: id, upstream: upstream.name, provider: upstream.provider, model, placement: upstream.placement };
}

function attemptRecord(attempt: Attempt, exchange: Exchange, endedMs: number): AttemptRecord {
  const { target, startedMs, firstContentMs, error, usage, usageEstimated, progress, price, cost } = attempt;
  return {
    ...servedBy(target),
    durationMs: (attempt.endedMs ?? endedMs) - startedMs,
    firstContentMs: firstContentMs === undefined ? undefined : firstContentMs - exchange.startedMs,
    error: error?.code,
    upstreamStatus: error?.detail.upstreamStatus,
    usage,
    usageEstimated,
    rawUsage: progress?.usage?.raw,
    priceVersion: price?.version,
    cost,
  };
}

function routingRecord(decision: Decision, exchange: Exchange): RoutingRecord {
  const { principal, asked, attempts, hedge, continuations } = exchange;
  const { rule, features, needs, wish, reasoning, candidates, experiment, control, spillCostUsd } = decision;
  return {
    model: decision.asked === asked ? undefined : decision.asked,
    rule,
    features,
    needs: needs.length === 0 ? undefined : needs,
    wish: isNoWish(wish) ? undefined : wish,
    key: principal && recordedKey(principal),
    reasoning: reasoning === "" ? undefined : reasoning,
    order: decision.targets.map(({ id }) => id),
    candidates: candidates.length === 0 ? undefined : candidates,
    experiment,
    control,
    spillCostUsd,
    hedge: hedge && attempts.indexOf(hedge),
    continued: continuations.length === 0 ? undefined : continuations.map((one) => attempts.indexOf(one)),
  };
}

function refusedRecord({ features, needs, wish }: Refusal, { principal }: Exchange): RoutingRecord {
  return {
    features,
    needs: needs.length === 0 ? undefined : needs,
    wish: isNoWish(wish) ? undefined : wish,
    key: principal && recordedKey(principal),
    order: [],
  };
}

function isNoWish(wish: RoutingWish): boolean {
  for (const field in wish) {
    const value = wish[field as keyof RoutingWish];
    if (value !== undefined && value !== false) return false;
  }
  return wish.allowFallbacks !== false;
}

function recordedKey({ keyName: name, region, isLocalOnly }: Principal): RecordedKey | undefined {
  if (name === undefined && region === undefined && !isLocalOnly) return undefined;
  return { name, region, localOnly: isLocalOnly || undefined };
}

const hasTokens = ({ usage }: Attempt): boolean => usage.inputTokens + usage.outputTokens > 0;

/** Copies what an ended exchange is worth telling; called once, by `settle`. */
export function exchangeRecord(
  exchange: Exchange,
  endedMs: number,
  reference: { readonly cost: NanoDollars; readonly version: string } | undefined,
): ExchangeRecord {
  const { decision, refusal, served, fallback, error } = exchange;
  // Of a stream that another target went on with, the first one's.
  const firstContent = exchange.attempts.find((attempt) => attempt.firstContentMs !== undefined);
  return {
    id: exchange.id,
    at: exchange.startedAt,
    dialect: exchange.dialect,
    keyId: exchange.principal?.keyId,
    team: exchange.principal?.team,
    user: exchange.principal?.user,
    tags: exchange.tags,
    asked: exchange.asked,
    stream: exchange.stream,
    strategy: decision?.strategy,
    reason: decision?.reason,
    promptTokensEstimate: (decision ?? refusal)?.features.promptTokens,
    exclusions: decision?.exclusions ?? refusal?.exclusions ?? [],
    nearNames: decision?.nearNames ?? [],
    routing: decision === undefined ? refusal && refusedRecord(refusal, exchange) : routingRecord(decision, exchange),
    confinedTo: decision?.confinedTo,
    firstChoice: decision?.firstChoice && servedBy(decision.firstChoice),
    served: served && servedBy(served),
    fallback: fallback && { from: fallback.from.id, why: fallback.why },
    attempts: exchange.attempts.map((attempt) => attemptRecord(attempt, exchange, endedMs)),
    dropped: exchange.dropped,
    usage: exchange.usage,
    usageEstimated: exchange.usageEstimated,
    cost: exchange.cost,
    unpriced: exchange.attempts.some((attempt) => hasTokens(attempt) && attempt.cost === undefined),
    referenceCost: reference?.cost,
    referenceVersion: reference?.version,
    status: exchange.status,
    outcome: exchange.outcome ?? "error",
    error: error && { code: error.code, message: error.message },
    durationMs: endedMs - exchange.startedMs,
    firstContentMs:
      firstContent?.firstContentMs === undefined ? undefined : firstContent.firstContentMs - exchange.startedMs,
    overheadMs: exchange.overheadMs,
  };
}
