import { hiddenTexts } from "../codecs/hidden-texts.ts";
import { hideIn } from "../codecs/hide-in.ts";
import type { Deployment, Timeouts, Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Attempt, Exchange } from "../core/exchange.ts";
import type { RouteRules } from "../core/gateway-model.ts";
import { noUsage } from "../core/usage.ts";
import { sseReader } from "../framing/sse-reader.ts";
import type { SelfHostedMeter } from "../ledger/self-hosted-meter.ts";
import type { Clock } from "../lib/clock.ts";
import type { Hangup } from "../lib/hangup.ts";
import type { Entry } from "../policy/admission.ts";
import type { LiveState } from "../routing/live-state.ts";
import { authHeaders } from "../upstreams/auth/auth-headers.ts";
import type { Transport } from "../upstreams/transport.ts";
import { AttemptEnd } from "./attempt-end.ts";
import type { Prepared, WholeReply } from "./prepared.ts";
import { drain, type OpenStream, readError, readStep } from "./read-events.ts";
import { readFailure, readText } from "./read-text.ts";
import { Watchdog } from "./watchdog.ts";

/** A target that has begun to answer: from here on no other target is asked. */
export type Committed =
  | { readonly kind: "whole"; readonly reply: WholeReply }
  | {
      readonly kind: "stream";
      readonly stream: OpenStream;
      /** Output up to and including the first content. */
      readonly held: string;
      /** The upstream's body is already read to its end. */
      readonly done: boolean;
      readonly signal: AbortSignal;
      readonly end: AttemptEnd;
    };

/** One try at one target. */
export interface Try {
  readonly target: Deployment;
  readonly prepared: Prepared;
  /** What was reserved for it. */
  readonly entry: Entry;
  /** What its route says of its limits. */
  readonly rules: RouteRules | undefined;
  /** An answer that only says that the content is refused counts as a failure. */
  readonly refusesRefusals: boolean;
  /** Hung up by whoever started it, when it is no longer wanted. */
  readonly stop: Hangup<GatewayError>;
}

export interface AttemptDeps {
  readonly transport: Transport;
  readonly live: LiveState;
  readonly meter: SelfHostedMeter;
  /** This gateway's id, for the hop header. */
  readonly instanceId: string;
}

/** An attempt that begins now, as its exchange and its reservation know it. */
function begin({ target, entry }: Try, exchange: Exchange): Attempt {
  const attempt: Attempt = {
    target,
    price: entry.price,
    startedMs: exchange.clock.monotonicMs(),
    endedMs: undefined,
    firstContentMs: undefined,
    isAgain: exchange.attempts.some((earlier) => earlier.target === target),
    error: undefined,
    progress: undefined,
    usage: noUsage,
    usageEstimated: false,
    cost: undefined,
  };
  entry.attempt = attempt;
  exchange.attempts.push(attempt);
  return attempt;
}

/** Its limits: the route's, else the upstream's. An answer that is not streamed shows nothing before its end. */
function limitsOf({ target, prepared, rules }: Try, mayLoad: boolean): Timeouts {
  const { timeouts } = target.upstream;
  const limits = rules === undefined ? timeouts : { ...timeouts, ...rules.timeouts };
  const { firstContentMs, coldStartMs, wholeMs } = limits;
  const usualMs = prepared.streams ? firstContentMs : wholeMs;
  return { ...limits, firstContentMs: mayLoad ? Math.max(usualMs, coldStartMs) : usualMs };
}

/**
 * Asks one target once. Resolves when it has committed: whole answers when complete, streams at their first content.
 * Every timer, listener and body is released on every other exit.
 * @throws GatewayError what the target did, or `client_gone`
 */
export async function attempt(one: Try, exchange: Exchange, deps: AttemptDeps): Promise<Committed> {
  const { target, prepared } = one;
  const { clock } = exchange;
  const entry = begin(one, exchange);
  exchange.waits(entry.startedMs);
  const abort = new AbortController();
  const unlink = exchange.client.listen((reason) => abort.abort(reason));
  const unstop = one.stop.listen((reason) => abort.abort(reason));
  const watchdog = new Watchdog(clock, limitsOf(one, deps.live.mayLoad(target, entry.startedMs)), {
    expired: (error) => abort.abort(error),
    doubted: () => reach(target.upstream, entry.startedMs, deps, abort.signal, () => watchdog.connected()),
  });
  const end = new AttemptEnd(entry, deps, clock, exchange.decision?.features, prepared.streams, () => {
    unlink();
    unstop();
    watchdog.stop();
  });
  try {
    const response = await send(target, prepared, exchange, deps, abort.signal, watchdog);
    const committed = await commit(response, entry, one, abort.signal, watchdog, end, clock);
    // Too late where another target's answer, or the client's leaving, came in the same moment.
    if (committed.kind === "stream" && abort.signal.aborted) throw giveUp(committed);
    entry.firstContentMs = clock.monotonicMs();
    return committed;
  } catch (thrown) {
    const error = hideIn(readError(thrown, abort.signal), hiddenTexts(target.upstream)).with({ target: target.id });
    if (!abort.signal.aborted) abort.abort(error);
    end.failed(error);
    throw error;
  } finally {
    exchange.waited();
  }
}

/**
 * Finds out whether a host that has not answered yet is there at all: a request cannot tell a dead host from a slow one,
 * a bare connection beside it can. A refusal proves nothing, for the request may run on an older connection.
 */
function reach(
  upstream: Upstream,
  sinceMs: number,
  { transport, live }: AttemptDeps,
  signal: AbortSignal,
  connected: () => void,
): void {
  if (upstream.proxy !== undefined || live.lastAnswerMs(upstream.name) > sinceMs) connected();
  else transport.reach(upstream, signal).then(connected, connected);
}

/** Lets go of an answer that has begun; the reason to throw. */
function giveUp({ stream, signal }: Extract<Committed, { kind: "stream" }>): unknown {
  stream.reader.cancel().catch(() => {});
  return signal.reason;
}

const headersOf = new WeakMap<Upstream, Readonly<Record<string, string>>>();

/** Headers that every request to an upstream carries, its credentials included; computed once. */
function upstreamHeaders(upstream: Upstream): Readonly<Record<string, string>> {
  let headers = headersOf.get(upstream);
  if (headers === undefined) {
    headers = {
      "content-type": "application/json",
      "accept-encoding": "identity",
      "user-agent": "fairlead",
      ...upstream.headers,
      ...authHeaders(upstream.auth),
    };
    headersOf.set(upstream, headers);
  }
  return headers;
}

async function send(
  target: Deployment,
  prepared: Prepared,
  exchange: Exchange,
  { transport, instanceId }: AttemptDeps,
  signal: AbortSignal,
  watchdog: Watchdog,
): Promise<Response> {
  const { upstream } = target;
  const response = await transport.send(upstream, {
    method: "POST",
    url: upstream.baseUrl + prepared.path,
    headers: {
      ...upstreamHeaders(upstream),
      accept: prepared.streams ? "text/event-stream" : "application/json",
      "x-router-hop": exchange.hops.length === 0 ? instanceId : [...exchange.hops, instanceId].join(","),
      ...prepared.headers,
    },
    body: prepared.body,
    signal,
  });
  watchdog.heard();
  if (response.ok) return response;
  throw await readFailure(response, target, watchdog);
}

async function commit(
  response: Response,
  entry: Attempt,
  { prepared, refusesRefusals }: Try,
  signal: AbortSignal,
  watchdog: Watchdog,
  end: AttemptEnd,
  clock: Clock,
): Promise<Committed> {
  const contentType = response.headers.get("content-type") ?? "";
  if (!prepared.streams || (prepared.collect !== undefined && contentType.startsWith("application/json"))) {
    const text = await readText(response, watchdog);
    entry.progress = { usage: undefined, outputCharacters: text.length };
    const reply = prepared.readWhole(text);
    entry.progress = reply;
    if (refusesRefusals && reply.isRefused) throw contentRefused();
    end.succeeded();
    return { kind: "whole", reply };
  }
  if (!contentType.startsWith("text/event-stream") || response.body === null) {
    await response.body?.cancel();
    throw new GatewayError(
      "bad_upstream_response",
      `The upstream answered \`${contentType.slice(0, 60)}\` to a streaming request.`,
      { target: entry.target.id },
    );
  }
  const stream: OpenStream = {
    reader: response.body.getReader(),
    events: sseReader(),
    relay: prepared.makeRelay(),
    watchdog,
  };
  entry.progress = stream.relay;
  return prepared.collect === undefined
    ? firstContent(stream, signal, end, refusesRefusals)
    : collectAll(stream, prepared.collect, end, clock, refusesRefusals);
}

function contentRefused(): GatewayError {
  return new GatewayError("content_policy", "The upstream refused to answer this content.");
}

/** Reads until the first content; what comes before it is held. */
async function firstContent(
  stream: OpenStream,
  signal: AbortSignal,
  end: AttemptEnd,
  refusesRefusals: boolean,
): Promise<Committed> {
  let held = "";
  for (;;) {
    const step = await readStep(stream);
    held += step.text;
    const { relay } = stream;
    if (relay.content) {
      if (refusesRefusals && relay.isRefused) throw contentRefused();
      stream.watchdog.content();
      end.firstContent();
      return { kind: "stream", stream, held, done: step.done, signal, end };
    }
    if (relay.error !== undefined) throw relay.error;
    if (step.done) throw new GatewayError("bad_upstream_response", "The upstream's stream ended without an answer.");
  }
}

/** Reads a stream to its end for a client that wants one whole answer. */
async function collectAll(
  stream: OpenStream,
  collect: () => WholeReply,
  end: AttemptEnd,
  clock: Clock,
  refusesRefusals: boolean,
): Promise<Committed> {
  for (;;) {
    const { done } = await readStep(stream);
    if (stream.relay.content) {
      stream.watchdog.content();
      end.firstContent();
    }
    if (stream.relay.error !== undefined) throw stream.relay.error;
    if (!done) continue;
    const reply = collect();
    if (refusesRefusals && reply.isRefused) throw contentRefused();
    end.succeeded();
    drain(stream.reader, clock);
    return { kind: "whole", reply };
  }
}
