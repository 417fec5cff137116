import { emptyReplyState, type StreamDecoder } from "../codecs/codec.ts";
import { protocols } from "../codecs/registry.ts";
import type { GatewayError } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";
import { type SseEvent, sseReader } from "../framing/sse-reader.ts";
import type { Committed } from "./attempt.ts";
import { parseReply } from "./parse-reply.ts";
import { AnswerCollector, type ComparedAnswer } from "./shadow-answer.ts";
import type { StreamRelay } from "./stream-relay.ts";

const encoder = new TextEncoder();
/** No event of an answer worth comparing is larger. */
const maxEventCharacters = 1024 * 1024;

/**
 * Reads along what a client gets, in the client's own format, whatever the upstream spoke. Never throws: an answer that
 * cannot be read is not compared.
 */
export class AnswerTap {
  readonly #protocol: (typeof protocols)[keyof typeof protocols];
  readonly #collector = new AnswerCollector();
  readonly #events = sseReader(maxEventCharacters);
  #decoder: StreamDecoder | undefined;
  #isUnreadable = false;

  constructor(dialect: keyof typeof protocols) {
    this.#protocol = protocols[dialect];
  }

  /** A piece of a stream. */
  push(text: string): void {
    if (text === "" || this.#isUnreadable) return;
    try {
      this.#decoder ??= this.#protocol.streamDecoder(emptyReplyState);
      for (const event of this.#events.push(encoder.encode(text))) {
        for (const step of this.#decoder.push(event)) this.#collector.push(step);
      }
    } catch {
      this.#isUnreadable = true;
    }
  }

  /** A whole answer's body. */
  whole(body: string): void {
    try {
      this.#collector.whole(this.#protocol.decodeResponse(parseReply(body), emptyReplyState));
    } catch {
      this.#isUnreadable = true;
    }
  }

  answer(): ComparedAnswer | undefined {
    return this.#isUnreadable ? undefined : this.#collector.answer();
  }
}

type StreamCommitted = Extract<Committed, { kind: "stream" }>;

/** The same stream, whose text the tap reads along. */
export function tapped(committed: StreamCommitted, tap: AnswerTap): StreamCommitted {
  tap.push(committed.held);
  const { stream } = committed;
  return { ...committed, stream: { ...stream, relay: new TappedRelay(stream.relay, tap) } };
}

class TappedRelay implements StreamRelay {
  readonly #relay: StreamRelay;
  readonly #tap: AnswerTap;

  constructor(relay: StreamRelay, tap: AnswerTap) {
    this.#relay = relay;
    this.#tap = tap;
  }

  push(event: SseEvent): string {
    return this.#read(this.#relay.push(event));
  }

  end(): string {
    return this.#read(this.#relay.end());
  }

  fail(error: GatewayError): string {
    return this.#relay.fail(error);
  }

  get content(): boolean {
    return this.#relay.content;
  }

  get finished(): boolean {
    return this.#relay.finished;
  }

  get isRefused(): boolean {
    return this.#relay.isRefused;
  }

  get error(): GatewayError | undefined {
    return this.#relay.error;
  }

  get usage(): ReportedUsage | undefined {
    return this.#relay.usage;
  }

  get outputCharacters(): number {
    return this.#relay.outputCharacters;
  }

  #read(text: string): string {
    this.#tap.push(text);
    return text;
  }
}
