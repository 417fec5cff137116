import { capabilities } from "@fairlead/contract/names";
import type { Dialect } from "../codecs/codec.ts";
import type { Decision } from "../core/decision.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Principal } from "../core/principal.ts";
import { armTag, isRoutingTag } from "../core/routing-tag.ts";
import type { LedgerRow } from "../ledger/ledger-row.ts";
import { headerValue } from "../lib/header-value.ts";
import { Admission, type AdmissionDeps } from "../policy/admission.ts";
import type { OverloadGate } from "../policy/overload-gate.ts";
import { readPriority } from "../policy/read-priority.ts";
import { readTags } from "../policy/read-tags.ts";
import { type AwaitReadyDeps, awaitReady } from "./await-ready.ts";
import { beginning } from "./beginning.ts";
import { Continuation } from "./continue-stream.ts";
import { type DecideDeps, type Deciding, decide, deciding, keysWish } from "./decide.ts";
import { dropsAny } from "./drops-any.ts";
import { type Arrival, type OpenDeps, openBody, openPrincipal } from "./open-request.ts";
import type { ClientRequest } from "./prepared.ts";
import { refuseStrategy } from "./refuse-strategy.ts";
import { ClientStream } from "./relay.ts";
import { addRateLimits, costText, retryHeaders, routerHeaders } from "./reply-headers.ts";
import { type AttemptLoopDeps, type Run, runAttempts, type Served } from "./run-attempts.ts";
import { type Accounts, type Settlement, settle } from "./settlement.ts";
import type { DrawnRequest, ShadowCopies } from "./shadow-copies.ts";

/** What handling a chat request needs; one per config snapshot. */
export interface ChatDeps extends AttemptLoopDeps, OpenDeps, AwaitReadyDeps {
  readonly deciding: DecideDeps;
  readonly admission: AdmissionDeps;
  readonly accounts: Accounts;
  /** Looks an exchange up that memory has forgotten; undefined where no ledger is kept. */
  readonly findExchange?: ((id: string) => Promise<LedgerRow | undefined>) | undefined;
  /** Undefined where nothing is ever copied. */
  readonly shadows?: ShadowCopies;
  /** Undefined where nothing bounds how many requests are served at one time. */
  readonly gate?: OverloadGate;
  readonly keepAliveMs: number;
  readonly commitGraceMs: number;
  readonly clientStallMs: number;
}

/** An answer, and the promise that it is accounted for when its last byte is out. Never rejects. */
export interface Reply {
  readonly response: Response;
  readonly settled: Promise<Settlement>;
}

/** The life of one chat request, from its key to its settlement. Never rejects. */
export async function handleChat(
  arrival: Arrival,
  dialect: Dialect,
  exchange: Exchange,
  deps: ChatDeps,
): Promise<Reply> {
  let admission: Admission | undefined;
  try {
    const { headers } = arrival;
    const opening = openPrincipal(headers, exchange, deps);
    const principal = opening instanceof Promise ? await opening : opening;
    const waiting = deps.gate?.enter(exchange, readPriority(principal, headers.get("x-router-priority")));
    if (waiting !== undefined) await waiting;
    exchange.tags = readTags(principal.tags, headers.get("x-router-tags"), (tag) =>
      isReservedTag(tag, principal, deps),
    );
    refuseLoops(exchange, deps.instanceId);
    const { chat, raw, wish, taken, foreign } = await openBody(arrival, dialect, exchange, deps, principal);
    const request: ClientRequest = { dialect, chat, raw, taken, foreign };
    const question = deciding({ principal, chat, wish: keysWish(wish, principal) }, headers, (target) =>
      dropsAny(request, target, deps.policy),
    );
    const decision = decide(question, exchange, deps.deciding, "real");
    refuseStrategy(principal, wish.strategy, decision);
    exchange.decision = decision;
    // First: of many tags the ledger keeps the first ones.
    if (decision.experiment !== undefined) exchange.tags = [armTag(decision.experiment), ...exchange.tags];
    deps.accounts.decisions.decided(exchange);
    const { features } = decision;
    const atMs = exchange.startedAt;
    const open = new Admission({ principal, tags: exchange.tags, chat, features, raw, atMs }, deps.admission);
    admission = open;
    const run: Run = {
      request,
      admission: open,
      selfHosted: () =>
        wish.allowFallbacks === false
          ? undefined
          : attempted(() => decide(keptHome(question), exchange, deps.deciding, "again")),
      begin: (target, entry) => deps.accounts.ledger.begin(beginning(exchange, entry, target)),
    };
    const drawn = deps.shadows?.draw(question, request, exchange, deps);
    const ready = awaitReady(question, decision, exchange, deps);
    const attempts =
      ready === undefined
        ? runAttempts(run, decision, exchange, deps)
        : ready.then((again) => {
            exchange.decision = again;
            return runAttempts(run, again, exchange, deps);
          });
    return chat.stream
      ? await replyStream(attempts, run, exchange, deps, drawn)
      : replyWhole(await attempts, exchange, open, deps, drawn);
  } catch (thrown) {
    if (exchange.refusal !== undefined && exchange.decision === undefined) deps.accounts.decisions.decided(exchange);
    return replyError(named(GatewayError.from(thrown), dialect), dialect, exchange, admission, deps.accounts);
  }
}

/** Where keys tell clients apart, a tag that a budget is about belongs to the keys and teams that carry it. */
function isReservedTag(tag: string, { kind }: Principal, { admission: { budgets } }: ChatDeps): boolean {
  if (isRoutingTag(tag)) return true;
  return (kind === "virtual-key" || kind === "token") && budgets.isAboutTag(tag);
}

/** The same question for a request that a budget keeps on self-hosted models. */
function keptHome(question: Deciding): Deciding {
  return { ...question, wish: { ...question.wish, strategy: "self_hosted_only" } };
}

/** A plan that cannot be made is none. */
function attempted(decide: () => Decision): Decision | undefined {
  try {
    return decide();
  } catch {
    return undefined;
  }
}

function refuseLoops(exchange: Exchange, instanceId: string): void {
  const maxHops = 8;
  if (!exchange.hops.includes(instanceId) && exchange.hops.length < maxHops) return;
  throw new GatewayError(
    "loop_detected",
    "This request already passed this gateway: an upstream of it leads back here (see X-Router-Hop).",
  );
}

function markServed(exchange: Exchange, { target, prepared }: Served): void {
  exchange.served = target;
  exchange.dropped = prepared.dropped;
}

function replyWhole(
  served: Served,
  exchange: Exchange,
  admission: Admission,
  deps: ChatDeps,
  drawn: DrawnRequest | undefined,
): Reply {
  markServed(exchange, served);
  const { committed } = served;
  if (committed.kind !== "whole") throw new GatewayError("internal_error", "A whole answer was expected.");
  drawn?.whole(committed.reply.body);
  exchange.status = 200;
  exchange.markAnswered();
  const { rateLimits } = admission;
  const settlement = settle(exchange, admission, "ok", deps.accounts);
  const headers = routerHeaders(exchange, { "content-type": "application/json" });
  addRateLimits(headers, rateLimits);
  if (exchange.cost !== undefined) headers["x-router-cost-usd"] = costText(exchange.cost);
  return { response: new Response(committed.reply.body, { headers }), settled: Promise.resolve(settlement) };
}

async function replyStream(
  attempts: Promise<Served>,
  run: Run,
  exchange: Exchange,
  deps: ChatDeps,
  drawn: DrawnRequest | undefined,
): Promise<Reply> {
  const { admission } = run;
  const { dialect } = run.request;
  const { promise: settled, resolve } = Promise.withResolvers<Settlement>();
  const stream = new ClientStream(exchange, {
    accounts: deps.accounts,
    admission,
    keepAlive: dialect.keepAlive,
    keepAliveMs: deps.keepAliveMs,
    clientStallMs: deps.clientStallMs,
    settled: resolve,
  });
  const begin = async () => {
    const served = await attempts;
    markServed(exchange, served);
    const { committed } = served;
    if (committed.kind !== "stream") throw new GatewayError("internal_error", "A stream was expected.");
    const read = drawn === undefined ? committed : drawn.stream(committed);
    const continuation = Continuation.of(run, served, exchange, deps);
    if (continuation === undefined) return read;
    stream.whenCut(async (error) => {
      const next = await continuation.goOn(error);
      return next === undefined || drawn === undefined ? next : drawn.stream(next);
    });
    return continuation.follow(read);
  };
  const early = await firstOf(attempts, deps.commitGraceMs, exchange);
  let body: ReadableStream<Uint8Array>;
  if (early) {
    body = stream.body(await begin());
  } else {
    // The answer is late: headers and keep-alives go out now, and other targets may still be asked.
    exchange.served = exchange.attempts.at(-1)?.target;
    const identity = { id: `chatcmpl-${exchange.id}`, createdAt: 0, model: "", includeUsage: false };
    // Those headers name the target asked at that moment; a comment before the answer names the one that gave it.
    const preface = (): string => `: x-router-target ${headerValue(exchange.served?.id ?? "-")}\n\n`;
    body = stream.lateBody(begin, preface, (error) => dialect.streamEncoder(identity).encode({ type: "error", error }));
  }
  exchange.status = 200;
  exchange.markAnswered();
  const headers = routerHeaders(exchange, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
  });
  addRateLimits(headers, admission.rateLimits);
  return { response: new Response(body, { headers }), settled };
}

/** Whether the promise settles within `ms`. Rejections count as settled and are left for whoever awaits it. */
function firstOf(promise: Promise<unknown>, ms: number, exchange: Exchange): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = exchange.clock.after(ms, () => resolve(false));
    const settled = (): void => {
      cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
}

/** Names the client's own field for a capability that no target has. */
function named(error: GatewayError, dialect: Dialect): GatewayError {
  const need = capabilities.find((capability) => capability === error.detail.capability);
  if (error.code !== "capability_unavailable" || error.detail.param !== undefined || need === undefined) return error;
  return error.with({ param: dialect.paramOf(need) });
}

/** Answers an error in the client's own format and settles. */
export function replyError(
  error: GatewayError,
  dialect: Dialect,
  exchange: Exchange,
  admission: Admission | undefined,
  accounts: Accounts,
): Reply {
  const gone = exchange.isClientGone;
  const shown = exchange.client.reason ?? error;
  exchange.error = shown;
  exchange.status = gone ? 499 : shown.status;
  exchange.served = exchange.attempts.at(-1)?.target;
  exchange.markAnswered();
  const isUsual = shown.code === "draining" || shown.code === "overcapacity";
  if (shown.row.fault === "gateway" && !isUsual) {
    for (const sink of accounts.sinks) sink.operatorAlert(shown, exchange.id);
  }
  const rateLimits = admission?.rateLimits;
  const settlement = settle(exchange, admission, gone ? "client_gone" : "error", accounts);
  const headers = routerHeaders(exchange, retryHeaders(shown));
  addRateLimits(headers, rateLimits);
  const response = Response.json(dialect.encodeError(shown, exchange.id), { status: exchange.status, headers });
  return { response, settled: Promise.resolve(settlement) };
}
