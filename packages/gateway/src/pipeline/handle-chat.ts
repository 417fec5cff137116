import { capabilities } from "@fairlead/contract/names";
import type { StrategyName } from "@fairlead/contract/routing-names";
import type { Dialect } from "../codecs/codec.ts";
import type { ChatRequest } from "../core/chat.ts";
import type { Decision } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { Principal } from "../core/principal.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { LedgerBegin } from "../ledger/ledger-store.ts";
import { headerValue } from "../lib/header-value.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { Admission, type AdmissionDeps } from "../policy/admission.ts";
import { authenticate } from "../policy/authenticate.ts";
import { allowedTargets } from "../policy/model-access.ts";
import { readTags } from "../policy/read-tags.ts";
import { refuseCrossSite } from "../policy/refuse-cross-site.ts";
import { plan } from "../routing/plan.ts";
import { readRoutingWish } from "../routing/routing-wish.ts";
import { servedBy } from "../telemetry/exchange-record.ts";
import { ClientStream } from "./relay.ts";
import { addRateLimits, costText, retryHeaders, routerHeaders } from "./reply-headers.ts";
import { type AttemptLoopDeps, type Run, runAttempts, type Served } from "./run-attempts.ts";
import { type Accounts, type Settlement, settle } from "./settlement.ts";

/** What handling a chat request needs; one per config snapshot. */
export interface ChatDeps extends AttemptLoopDeps {
  readonly catalogue: Catalogue;
  readonly keys: KeyStore;
  readonly admission: AdmissionDeps;
  readonly accounts: Accounts;
  /** Only this machine can connect. */
  readonly isLoopbackBind: boolean;
  readonly keepAliveMs: number;
  readonly commitGraceMs: number;
}

/** An answer, and the promise that it is accounted for when its last byte is out. Never rejects. */
export interface Reply {
  readonly response: Response;
  readonly settled: Promise<Settlement>;
}

/** A chat request as the server received it. */
export interface Arrival {
  readonly headers: Headers;
  /** @throws GatewayError `request_too_large` or `request_timeout` */
  readonly readBody: () => Promise<string>;
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
    const authenticating = authenticate(arrival.headers, deps.keys);
    const principal = authenticating instanceof Promise ? await authenticating : authenticating;
    if (principal.kind === "anonymous") refuseCrossSite(arrival.headers, deps.isLoopbackBind);
    exchange.principal = principal;
    exchange.tags = readTags(principal.tags, arrival.headers.get("x-router-tags"), (tag) =>
      isReservedTag(tag, principal, deps),
    );
    refuseLoops(exchange, deps.instanceId);
    const readMs = exchange.clock.monotonicMs();
    const raw = await arrival.readBody();
    exchange.waitedMs += exchange.clock.monotonicMs() - readMs;
    const body = parseBody(raw);
    const wish = readRoutingWish(arrival.headers, body);
    const chat = dialect.decodeRequest(body);
    exchange.asked = chat.model?.slice(0, 256) ?? "auto";
    exchange.stream = chat.stream;
    const decide = (strategy: StrategyName | undefined): Decision =>
      decideFor(principal, chat, { ...wish, strategy }, exchange, deps);
    const decision = decide(wish.strategy ?? principal.strategy);
    refuseStrategy(principal, wish.strategy ?? decision.strategy);
    exchange.decision = decision;
    const { features } = decision;
    const atMs = exchange.startedAt;
    const open = new Admission({ principal, tags: exchange.tags, chat, features, raw, atMs }, deps.admission);
    admission = open;
    const run: Run = {
      request: { dialect, chat, raw },
      admission: open,
      selfHosted: () => attempted(() => decide("self_hosted_only")),
      begin: (target) => deps.accounts.ledger.begin(beginning(exchange, open, target)),
    };
    const attempts = runAttempts(run, decision, exchange, deps);
    return chat.stream
      ? await replyStream(attempts, run, exchange, deps)
      : replyWhole(await attempts, exchange, open, deps);
  } catch (thrown) {
    return replyError(named(GatewayError.from(thrown), dialect), dialect, exchange, admission, deps.accounts);
  }
}

/** Where keys tell clients apart, a tag that a budget is about belongs to the keys and teams that carry it. */
function isReservedTag(tag: string, { kind }: Principal, { admission: { budgets } }: ChatDeps): boolean {
  return (kind === "virtual-key" || kind === "token") && budgets.isAboutTag(tag);
}

/** Plans with the key's own names for models and the models it may use. */
function decideFor(
  principal: Principal,
  chat: ChatRequest,
  wish: RoutingWish,
  exchange: Exchange,
  { catalogue, live }: ChatDeps,
): Decision {
  const renamed = principal.aliases.get(chat.model ?? "");
  const request = renamed === undefined ? chat : { ...chat, model: renamed };
  const allowed = allowedTargets(principal, catalogue);
  const rule = allowed && ((target: Deployment) => (allowed.has(target) ? undefined : "key_not_allowed"));
  return plan(request, wish, catalogue, live, exchange.clock.monotonicMs(), rule);
}

/** @throws GatewayError `key_not_allowed` */
function refuseStrategy({ allowedStrategies }: Principal, strategy: StrategyName | undefined): void {
  if (strategy === undefined || allowedStrategies === undefined || allowedStrategies.has(strategy)) return;
  throw new GatewayError("key_not_allowed", `This key may not use the strategy \`${strategy}\`.`);
}

/** A plan that cannot be made is none. */
function attempted(decide: () => Decision): Decision | undefined {
  try {
    return decide();
  } catch {
    return undefined;
  }
}

/** What is written before anything is sent. */
function beginning(exchange: Exchange, { expected, price }: Admission, target: Deployment): LedgerBegin {
  const { principal, decision } = exchange;
  return {
    id: exchange.id,
    at: exchange.startedAt,
    dialect: exchange.dialect,
    keyId: principal?.keyId,
    team: principal?.team,
    user: principal?.user,
    tags: exchange.tags,
    asked: exchange.asked,
    stream: exchange.stream,
    reason: decision?.reason,
    target: servedBy(target),
    inputTokens: expected?.forecast.inputTokens ?? 0,
    outputTokens: expected?.forecast.outputTokens ?? 0,
    cost: expected?.cost,
    priceVersion: price?.version,
  };
}

function refuseLoops(exchange: Exchange, instanceId: string): void {
  const maxHops = 8;
  if (!exchange.hops.includes(instanceId) && exchange.hops.length < maxHops) return;
  throw new GatewayError(
    "loop_detected",
    "This request already passed this gateway: an upstream of it leads back here (see X-Router-Hop).",
  );
}

/** @throws GatewayError `invalid_json` or `invalid_request` */
function parseBody(raw: string): JsonObject {
  let body: unknown;
  try {
    body = JSON.parse(raw);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message.slice(0, 120) : "";
    throw new GatewayError("invalid_json", `The request body is not valid JSON: ${what}`, { cause });
  }
  if (isObject(body)) return body;
  throw new GatewayError("invalid_request", "The request body must be a JSON object.");
}

function markServed(exchange: Exchange, { target, prepared }: Served): void {
  exchange.served = target;
  exchange.dropped = prepared.dropped;
}

function replyWhole(served: Served, exchange: Exchange, admission: Admission, deps: ChatDeps): Reply {
  markServed(exchange, served);
  const { committed } = served;
  if (committed.kind !== "whole") throw new GatewayError("internal_error", "A whole answer was expected.");
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
  { request, admission }: Run,
  exchange: Exchange,
  deps: ChatDeps,
): Promise<Reply> {
  const { dialect } = request;
  const { promise: settled, resolve } = Promise.withResolvers<Settlement>();
  const stream = new ClientStream(exchange, {
    accounts: deps.accounts,
    admission,
    keepAlive: dialect.keepAlive,
    keepAliveMs: deps.keepAliveMs,
    settled: resolve,
  });
  const begin = async () => {
    const served = await attempts;
    markServed(exchange, served);
    if (served.committed.kind === "stream") return served.committed;
    throw new GatewayError("internal_error", "A stream was expected.");
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
  if ((shown.row.fault === "gateway" && shown.code !== "draining") || shown.code === "upstream_auth") {
    for (const sink of accounts.sinks) sink.operatorAlert(shown, exchange.id);
  }
  const rateLimits = admission?.rateLimits;
  const settlement = settle(exchange, admission, gone ? "client_gone" : "error", accounts);
  const headers = routerHeaders(exchange, retryHeaders(shown));
  addRateLimits(headers, rateLimits);
  const response = Response.json(dialect.encodeError(shown, exchange.id), { status: exchange.status, headers });
  return { response, settled: Promise.resolve(settlement) };
}
