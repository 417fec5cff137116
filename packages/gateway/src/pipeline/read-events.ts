import { GatewayError } from "../core/errors.ts";
import type { SseReader } from "../framing/sse-reader.ts";
import type { Clock } from "../lib/clock.ts";
import type { StreamRelay } from "./stream-relay.ts";
import type { Watchdog } from "./watchdog.ts";

/** An open upstream body that is being relayed. */
export interface OpenStream {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly events: SseReader;
  readonly relay: StreamRelay;
  readonly watchdog: Watchdog;
}

export interface ReadStep {
  /** What the client gets; may be "". */
  readonly text: string;
  readonly done: boolean;
}

/**
 * Reads one piece of the upstream's body and relays the events in it. Sets `relay.error` for a fault in the stream.
 * @throws whatever ended the body: the abort's reason or a broken connection
 */
export async function readStep({ reader, events, relay, watchdog }: OpenStream): Promise<ReadStep> {
  watchdog.listening();
  const { done, value } = await reader.read();
  watchdog.heard();
  let text = "";
  for (const event of done ? events.end() : events.push(value)) {
    text += relay.push(event);
    if (relay.error !== undefined || relay.finished) return { text, done: true };
  }
  if (done) text += relay.end();
  return { text, done };
}

/** How long an upstream may take to close after its clean end, so that its connection can serve again. */
const closeGraceMs = 1_000;

/** Reads what follows a clean end, in the background; gives the connection up when that takes too long. */
export function drain(reader: OpenStream["reader"], clock: Clock): void {
  const giveUp = clock.after(closeGraceMs, () => void reader.cancel().catch(() => {}));
  const next = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  next()
    .catch(() => {})
    .finally(giveUp);
}

/** What a thrown read means: our own abort's reason, or an upstream that broke the connection. */
export function readError(thrown: unknown, signal: AbortSignal): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (signal.aborted && signal.reason instanceof GatewayError) return signal.reason;
  return new GatewayError("stream_interrupted", "The upstream broke off its answer.", { cause: thrown });
}
