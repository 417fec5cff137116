import type { GatewayError } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";
import type { SseEvent } from "../framing/sse-reader.ts";

/**
 * Turns an upstream's events into the client's bytes, natively or by translation, and knows where the stream stands.
 * One per attempt; synchronous; never throws.
 */
export interface StreamRelay {
  /** Returns what to send for one upstream event, or "". */
  push(event: SseEvent): string;
  /** The upstream's body ended: returns the clean ending, or "" with `error` set when it was cut. */
  end(): string;
  /** The client's form of an error after commitment; nothing may follow it. */
  fail(error: GatewayError): string;
  /** The first content was seen: the exchange belongs to this target. */
  readonly content: boolean;
  /** What came so far says nothing but that the content is refused. */
  readonly isRefused: boolean;
  /** The clean end was reached; bytes that may still come mean nothing. */
  readonly finished: boolean;
  /** Set when the upstream reported an error or broke off. */
  readonly error: GatewayError | undefined;
  /** The last usage the upstream told. */
  readonly usage: ReportedUsage | undefined;
  /** Characters of output so far, roughly. */
  readonly outputCharacters: number;
}
