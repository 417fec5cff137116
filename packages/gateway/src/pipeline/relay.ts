import { hiddenTexts } from "../codecs/hidden-texts.ts";
import { hideIn } from "../codecs/hide-in.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import { headerValue } from "../lib/header-value.ts";
import type { Admission } from "../policy/admission.ts";
import type { Committed } from "./attempt.ts";
import { drain, readError, readStep } from "./read-events.ts";
import { type Accounts, type Settlement, settle } from "./settlement.ts";
import type { StreamRelay } from "./stream-relay.ts";

const encoder = new TextEncoder();
/** After commitment the relay itself writes errors. */
const noLateError = (): string => "";
const noError = (): void => {};

type StreamCommitted = Extract<Committed, { kind: "stream" }>;

/** What the relay of one stream tells the outside. */
export interface RelayDeps {
  readonly accounts: Accounts;
  readonly admission: Admission;
  readonly keepAlive: string;
  readonly keepAliveMs: number;
  /** A client that reads nothing for this long is let go. */
  readonly clientStallMs: number;
  readonly settled: (settlement: Settlement) => void;
}

/**
 * Streams a committed answer to the client: one upstream read per pull, so that a slow client slows the upstream
 * instead of growing memory. It settles before the last bytes go out, and an upstream that breaks off becomes an error
 * in the client's own format, never a clean end.
 */
export class ClientStream {
  readonly #exchange: Exchange;
  readonly #deps: RelayDeps;
  #committed: StreamCommitted | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #settled = false;
  /** Since when the client waits for the next piece; undefined while none is asked for. */
  #waitingSinceMs: number | undefined;
  /** When the client last asked for a piece, or got one. */
  #heardMs: number;
  #goOn: ((error: GatewayError) => Promise<StreamCommitted | undefined>) | undefined;
  #stopKeepAlive = (): void => {};

  constructor(exchange: Exchange, deps: RelayDeps) {
    this.#exchange = exchange;
    this.#deps = deps;
    this.#heardMs = exchange.clock.monotonicMs();
  }

  /** Sets who is asked to go on when the stream breaks off. */
  whenCut(goOn: (error: GatewayError) => Promise<StreamCommitted | undefined>): void {
    this.#goOn = goOn;
  }

  /** The body for an answer that has begun. */
  body(committed: StreamCommitted): ReadableStream<Uint8Array> {
    const body = this.lateBody(async () => committed, noLateError, noLateError);
    // Not at the first pull: a client that leaves before it must end the attempt too.
    if (this.#controller !== undefined) this.#commit(this.#controller, committed);
    return body;
  }

  /**
   * The body for an answer still awaited: keep-alives go out until `begin` resolves, then `preface` and the answer; if it
   * rejects, the client gets the error in-band through `renderError`.
   */
  lateBody(
    begin: () => Promise<StreamCommitted>,
    preface: () => string,
    renderError: (error: GatewayError) => string,
  ): ReadableStream<Uint8Array> {
    let started = false;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          this.#keepAlive(controller);
        },
        pull: async (controller) => {
          this.#waitingSinceMs = this.#exchange.clock.monotonicMs();
          try {
            if (started) await this.#relayNext(controller);
            else {
              started = true;
              this.#relayFirst(controller, await begin(), preface);
            }
          } catch (thrown) {
            await this.#recover(controller, this.#readError(thrown), renderError);
          }
          this.#waitingSinceMs = undefined;
          this.#heardMs = this.#exchange.clock.monotonicMs();
        },
        cancel: () => {
          this.#leave("The client closed the connection.");
          // Nobody has read it: an answer that has begun meanwhile is given up here.
          if (!started) begin().then((committed) => this.#giveUp(committed), noError);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The client is gone, or as good as gone: nothing runs for it any more. */
  #leave(why: string): void {
    this.#exchange.client.hangUp(new GatewayError("client_gone", why));
    this.#committed?.end.abandoned();
    this.#committed?.stream.reader.cancel().catch(() => {});
    this.#settle("client_gone");
  }

  /** The stream broke off: another target goes on, or the client is told. Never rejects. */
  async #recover(
    controller: ReadableStreamDefaultController<Uint8Array>,
    error: GatewayError,
    renderError: (error: GatewayError) => string,
  ): Promise<void> {
    const next = await this.#whoGoesOn(error);
    if (next === undefined) {
      this.#broke(controller, error, renderError);
      return;
    }
    try {
      const target = headerValue(this.#exchange.served?.id ?? "-");
      this.#relayFirst(controller, next, () => `: x-router-continued ${target}\n\n`);
    } catch (thrown) {
      await this.#recover(controller, this.#readError(thrown), renderError);
    }
  }

  /** The stream of another target that goes on where this one broke off; undefined where nobody does. */
  async #whoGoesOn(error: GatewayError): Promise<StreamCommitted | undefined> {
    const broken = this.#committed;
    if (this.#goOn === undefined || broken === undefined || this.#settled || this.#exchange.isClientGone)
      return undefined;
    broken.end.failed(error);
    broken.stream.reader.cancel().catch(noError);
    return this.#goOn(error);
  }

  #readError(thrown: unknown): GatewayError {
    const committed = this.#committed;
    if (committed === undefined) return GatewayError.from(thrown);
    const error = readError(thrown, committed.signal);
    const upstream = this.#exchange.served?.upstream;
    return upstream === undefined ? error : hideIn(error, hiddenTexts(upstream));
  }

  #giveUp({ end, stream }: StreamCommitted): void {
    end.abandoned();
    stream.reader.cancel().catch(noError);
  }

  /** Takes over a target's answer; gives it up at once when the client has left meanwhile. */
  #commit(controller: ReadableStreamDefaultController<Uint8Array>, committed: StreamCommitted): void {
    if (this.#committed === committed) return;
    this.#committed = committed;
    if (this.#settled) {
      this.#giveUp(committed);
      return;
    }
    // A client that has stopped reading pulls no more: a limit that ends the attempt must not wait for it.
    const { signal } = committed;
    const ended = (): void => {
      if (this.#committed !== committed) return;
      // A read that waits fails too, and finds somebody to go on.
      if (this.#goOn !== undefined && this.#waitingSinceMs !== undefined && !this.#exchange.isClientGone) return;
      this.#broke(controller, this.#readError(signal.reason), noLateError);
    };
    if (signal.aborted) ended();
    else signal.addEventListener("abort", ended, { once: true });
  }

  #relayFirst(
    controller: ReadableStreamDefaultController<Uint8Array>,
    first: StreamCommitted,
    preface: () => string,
  ): void {
    this.#commit(controller, first);
    if (this.#settled) return;
    const held = preface() + first.held;
    if (first.done) this.#ended(controller, first, held);
    else controller.enqueue(encoder.encode(held));
  }

  async #relayNext(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const committed = this.#committed;
    if (committed === undefined) return;
    for (;;) {
      const { text, done } = await readStep(committed.stream);
      if (done) {
        this.#ended(controller, committed, text);
        return;
      }
      // A read that holds no complete event gives nothing to send; the pull goes on.
      if (text === "") continue;
      controller.enqueue(encoder.encode(text));
      return;
    }
  }

  #ended(controller: ReadableStreamDefaultController<Uint8Array>, committed: StreamCommitted, text: string): void {
    const { error } = committed.stream.relay;
    if (error !== undefined) {
      if (text !== "") controller.enqueue(encoder.encode(text));
      throw error;
    }
    committed.end.succeeded();
    drain(committed.stream.reader, this.#exchange.clock);
    this.#finish(controller, text, "ok");
  }

  /** The upstream broke off, or a deadline did. */
  #broke(
    controller: ReadableStreamDefaultController<Uint8Array>,
    error: GatewayError,
    renderError: (error: GatewayError) => string,
  ): void {
    if (this.#settled) return;
    const exchange = this.#exchange;
    const committed = this.#committed;
    if (exchange.isClientGone) {
      committed?.end.abandoned();
      this.#settle("client_gone");
      close(controller);
      return;
    }
    exchange.error = error;
    // The wire said 200 when all was well; records tell how it ended.
    exchange.status = error.status;
    committed?.end.failed(error, this.#waitingSinceMs === undefined);
    committed?.stream.reader.cancel().catch(() => {});
    const relay: StreamRelay | undefined = committed?.stream.relay;
    const text = relay === undefined ? renderError(error) : relay.fail(error);
    this.#finish(controller, text, committed === undefined ? "error" : "interrupted");
  }

  #finish(
    controller: ReadableStreamDefaultController<Uint8Array>,
    text: string,
    outcome: "ok" | "error" | "interrupted",
  ): void {
    this.#settle(outcome);
    if (text !== "") controller.enqueue(encoder.encode(text));
    close(controller);
  }

  #settle(outcome: "ok" | "error" | "interrupted" | "client_gone"): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#stopKeepAlive();
    const { accounts, admission, settled } = this.#deps;
    settled(settle(this.#exchange, admission, outcome, accounts));
  }

  /** Sends comments while the upstream is silent; only between events, so nothing is ever torn. */
  #keepAlive(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { clock } = this.#exchange;
    const { keepAlive, keepAliveMs, clientStallMs } = this.#deps;
    const check = (): void => {
      const since = this.#waitingSinceMs;
      if (since === undefined && clock.monotonicMs() - this.#heardMs >= clientStallMs) {
        const why = `The client read nothing for ${clientStallMs} ms.`;
        // Cut, so that what it may still read is no clean end.
        controller.error(new GatewayError("client_gone", why));
        this.#leave(why);
        return;
      }
      const silentMs = since === undefined ? 0 : clock.monotonicMs() - since;
      const due = silentMs >= keepAliveMs;
      if (due) {
        controller.enqueue(encoder.encode(keepAlive));
        this.#waitingSinceMs = clock.monotonicMs();
      }
      this.#stopKeepAlive = clock.after(due ? keepAliveMs : keepAliveMs - silentMs, check);
    };
    this.#stopKeepAlive = clock.after(keepAliveMs, check);
  }
}

/** Closes a stream that the client may already have cancelled. */
function close(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close();
  } catch {
    // Cancelled: there is nobody left to tell.
  }
}
