import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Hold } from "../ledger/hold.ts";
import type { Committed } from "./attempt.ts";
import { drain, readError, readStep } from "./read-events.ts";
import { type Accounts, type Settlement, settle } from "./settlement.ts";
import type { StreamRelay } from "./stream-relay.ts";

const encoder = new TextEncoder();

type StreamCommitted = Extract<Committed, { kind: "stream" }>;

/** What the relay of one stream tells the outside. */
export interface RelayDeps {
  readonly accounts: Accounts;
  readonly hold: Hold;
  readonly keepAlive: string;
  readonly keepAliveMs: number;
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
  #settled = false;

  constructor(exchange: Exchange, deps: RelayDeps) {
    this.#exchange = exchange;
    this.#deps = deps;
  }

  /** The body for an answer that has begun. */
  body(committed: StreamCommitted): ReadableStream<Uint8Array> {
    return this.bodyOf(async () => committed, undefined);
  }

  /**
   * The body for an answer still awaited: keep-alives go out until `begin` resolves; if it rejects, the client gets
   * the error in-band through `renderError`.
   */
  bodyOf(
    begin: () => Promise<StreamCommitted | string>,
    renderError: ((error: GatewayError) => string) | undefined,
  ): ReadableStream<Uint8Array> {
    let started = false;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const stopKeepAlive = this.#keepAlive(controller);
          try {
            if (!started) {
              started = true;
              const first = await begin();
              if (typeof first === "string") {
                this.#finish(controller, first, "ok");
                return;
              }
              this.#committed = first;
              if (first.done) this.#ended(controller, first, first.held);
              else controller.enqueue(encoder.encode(first.held));
              return;
            }
            await this.#relayNext(controller);
          } catch (thrown) {
            this.#broke(controller, GatewayError.from(thrown), renderError);
          } finally {
            stopKeepAlive();
          }
        },
        cancel: () => {
          this.#exchange.client.hangUp(new GatewayError("client_gone", "The client closed the connection."));
          this.#committed?.end.abandoned();
          this.#committed?.stream.reader.cancel().catch(() => {});
          this.#settle("client_gone");
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #relayNext(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const committed = this.#committed;
    if (committed === undefined) return;
    for (;;) {
      const step = await readStep(committed.stream).catch((thrown) => {
        throw readError(thrown, committed.signal);
      });
      if (step.done) {
        this.#ended(controller, committed, step.text);
        return;
      }
      // A read that holds no complete event gives nothing to send; the pull goes on.
      if (step.text === "") continue;
      controller.enqueue(encoder.encode(step.text));
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
    renderError: ((error: GatewayError) => string) | undefined,
  ): void {
    const exchange = this.#exchange;
    const committed = this.#committed;
    if (exchange.client.reason !== undefined) {
      committed?.end.abandoned();
      this.#settle("client_gone");
      close(controller);
      return;
    }
    exchange.error = error;
    committed?.end.failed(error);
    committed?.stream.reader.cancel().catch(() => {});
    const relay: StreamRelay | undefined = committed?.stream.relay;
    const text = relay === undefined ? (renderError?.(error) ?? "") : relay.fail(error);
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
    const relay = this.#committed?.stream.relay;
    if (relay?.usage !== undefined) this.#exchange.usage = relay.usage;
    const { accounts, hold, settled } = this.#deps;
    settled(settle(this.#exchange, hold, outcome, accounts, relay?.outputCharacters ?? 0));
  }

  /** Sends comments while the upstream is silent; only between events, so nothing is ever torn. */
  #keepAlive(controller: ReadableStreamDefaultController<Uint8Array>): () => void {
    const { clock } = this.#exchange;
    const { keepAlive, keepAliveMs } = this.#deps;
    const bytes = encoder.encode(keepAlive);
    let cancel = clock.after(keepAliveMs, function again() {
      // A stream the client has just cancelled takes nothing more.
      if (controller.desiredSize === null) return;
      controller.enqueue(bytes);
      cancel = clock.after(keepAliveMs, again);
    });
    return () => cancel();
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
