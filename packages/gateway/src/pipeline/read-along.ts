import { emptyReplyState, type StreamDecoder } from "../codecs/codec.ts";
import { protocols } from "../codecs/registry.ts";
import type { ChatEvent } from "../core/chat-event.ts";
import type { GatewayError } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";
import { type SseEvent, sseReader } from "../framing/sse-reader.ts";
import type { Committed } from "./attempt.ts";
import type { StreamRelay } from "./stream-relay.ts";

const encoder = new TextEncoder();
/** No event of an answer that is worth reading is larger. */
const maxEventCharacters = 1024 * 1024;

/** Gets the text that goes to a client, piece by piece; must not throw. */
export interface Tap {
  push(text: string): void;
}

/** Decodes what a client gets, in the client's own format, whatever the upstream spoke. Never throws. */
export class ReadAlong implements Tap {
  readonly #protocol: (typeof protocols)[keyof typeof protocols];
  readonly #read: (event: ChatEvent) => void;
  readonly #events = sseReader(maxEventCharacters);
  #decoder: StreamDecoder | undefined;
  /** Something could not be read: what came after it is unknown. */
  isUnreadable = false;

  constructor(dialect: keyof typeof protocols, read: (event: ChatEvent) => void) {
    this.#protocol = protocols[dialect];
    this.#read = read;
  }

  push(text: string): void {
    if (text === "" || this.isUnreadable) return;
    try {
      this.#decoder ??= this.#protocol.streamDecoder(emptyReplyState);
      for (const event of this.#events.push(encoder.encode(text))) {
        for (const step of this.#decoder.push(event)) this.#read(step);
      }
    } catch {
      this.isUnreadable = true;
    }
  }
}

type StreamCommitted = Extract<Committed, { kind: "stream" }>;

/** The same stream, whose text the tap reads along. */
export function tapped(committed: StreamCommitted, tap: Tap): StreamCommitted {
  tap.push(committed.held);
  const { stream } = committed;
  return { ...committed, stream: { ...stream, relay: new TappedRelay(stream.relay, tap) } };
}

class TappedRelay implements StreamRelay {
  readonly #relay: StreamRelay;
  readonly #tap: Tap;

  constructor(relay: StreamRelay, tap: Tap) {
    this.#relay = relay;
    this.#tap = tap;
  }

  push(event: SseEvent): string {
    return this.#tell(this.#relay.push(event));
  }

  end(): string {
    return this.#tell(this.#relay.end());
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

  #tell(text: string): string {
    this.#tap.push(text);
    return text;
  }
}
