import { capabilities } from "@fairlead/contract/names";
import type { Dialect } from "../codecs/codec.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { CounterStore } from "../ledger/counter-store.ts";
import type { Hold } from "../ledger/hold.ts";
import { headerValue } from "../lib/header-value.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { type Admission, admit } from "../policy/admit.ts";
import { authenticate } from "../policy/authenticate.ts";
import { refuseCrossSite } from "../policy/refuse-cross-site.ts";
import { plan } from "../routing/plan.ts";
import { readRoutingWish } from "../routing/routing-wish.ts";
import type { ClientRequest } from "./prepared.ts";
import { ClientStream } from "./relay.ts";
import { retryHeaders, routerHeaders } from "./reply-headers.ts";
import { type AttemptLoopDeps, runAttempts, type Served } from "./run-attempts.ts";
import { type Accounts, type Settlement, settle } from "./settlement.ts";

/** What handling a chat request needs; one per config snapshot. */
export interface ChatDeps extends AttemptLoopDeps {
  readonly catalogue: Catalogue;
  readonly keys: KeyStore;
  readonly counters: CounterStore;
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
    if (deps.keys.open) refuseCrossSite(arrival.headers, deps.isLoopbackBind);
    const principal = authenticate(arrival.headers, deps.keys);
    exchange.principal = principal;
    refuseLoops(exchange, deps.instanceId);
    const readMs = exchange.clock.monotonicMs();
    const raw = await arrival.readBody();
    exchange.waitedMs += exchange.clock.monotonicMs() - readMs;
    const body = parseBody(raw);
    const wish = readRoutingWish(arrival.headers, body);
    const chat = dialect.decodeRequest(body);
    exchange.asked = chat.model?.slice(0, 256) ?? "auto";
    exchange.stream = chat.stream;
    const decision = plan(chat, wish, deps.catalogue, deps.live, exchange.clock.monotonicMs());
    exchange.decision = decision;
    const { features } = decision;
    admission = admit(exchange, principal, features.promptTokens + features.maxTokens, deps.counters);
    deps.accounts.ledger.begin({
      id: exchange.id,
      at: exchange.startedAt,
      keyId: principal.keyId,
      asked: exchange.asked,
      heldTokens: admission.hold.tokens,
    });
    const attempts = runAttempts({ dialect, chat, raw }, decision, exchange, deps);
    return chat.stream
      ? await replyStream(attempts, { dialect, chat, raw }, exchange, admission.hold, deps)
      : replyWhole(await attempts, exchange, admission.hold, deps);
  } catch (thrown) {
    return replyError(named(GatewayError.from(thrown), dialect), dialect, exchange, admission?.hold, deps.accounts);
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

function replyWhole(served: Served, exchange: Exchange, hold: Hold, deps: ChatDeps): Reply {
  markServed(exchange, served);
  const { committed } = served;
  if (committed.kind !== "whole") throw new GatewayError("internal_error", "A whole answer was expected.");
  const { body, usage, outputCharacters } = committed.reply;
  if (usage !== undefined) exchange.usage = usage.usage;
  exchange.status = 200;
  exchange.markAnswered();
  const settlement = settle(exchange, hold, "ok", deps.accounts, outputCharacters);
  const headers = routerHeaders(exchange, { "content-type": "application/json" });
  return { response: new Response(body, { headers }), settled: Promise.resolve(settlement) };
}

async function replyStream(
  attempts: Promise<Served>,
  request: ClientRequest,
  exchange: Exchange,
  hold: Hold,
  deps: ChatDeps,
): Promise<Reply> {
  const { dialect } = request;
  const { promise: settled, resolve } = Promise.withResolvers<Settlement>();
  const stream = new ClientStream(exchange, {
    accounts: deps.accounts,
    hold,
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
  hold: Hold | undefined,
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
  const settlement = settle(exchange, hold, gone ? "client_gone" : "error", accounts);
  const headers = routerHeaders(exchange, retryHeaders(shown));
  const response = Response.json(dialect.encodeError(shown, exchange.id), { status: exchange.status, headers });
  return { response, settled: Promise.resolve(settlement) };
}
