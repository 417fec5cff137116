import type { GatewayError } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";

/** What one event of a natively relayed stream is. */
export interface ScannedEvent {
  /**
   * `content` commits the exchange; `empty` does not; `done` is the format's own end after a finish; `error` ends the
   * stream: nothing of it, and nothing after it, may be forwarded.
   */
  readonly kind: "content" | "empty" | "done" | "error";
  /** Data to send on, unframed; undefined when the event is hidden. */
  readonly forward: string | undefined;
  /** Set exactly when `kind` is `error`. */
  readonly error?: GatewayError;
}

/** Watches one stream that is relayed as it is. Synchronous; parses only what it must. */
export interface NativeScanner {
  /** Reads one event: its data and, where it has one, its name. */
  scan(data: string, name?: string): ScannedEvent;
  /** The error to end with when the body ended, or undefined when the answer was complete. */
  end(): GatewayError | undefined;
  readonly usage: ReportedUsage | undefined;
  readonly outputChars: number;
  /** It finished without any text because of the content. */
  readonly isRefused: boolean;
}

export interface NativeEdits {
  readonly model: string;
  /** The client already named the model so. */
  readonly isModelNamed: boolean;
  /** Ask for usage at the stream's end, which the client did not. */
  readonly addUsage: boolean;
  /** Top-level members to take out. */
  readonly remove: readonly string[];
  /** Top-level members to give another name, their values untouched. */
  readonly rename: readonly { readonly from: string; readonly to: string }[];
  /** Replaces the output limit, under whatever name the client set it. */
  readonly maxTokens: number | undefined;
  /** Take reasoning of earlier turns, signed or plain, out of the assistant's messages. Default false. */
  readonly stripThinking?: boolean;
}

/** How a format is relayed to an upstream that speaks it too: surgical edits, bytes otherwise untouched. */
export interface NativeFormat {
  /** Below the upstream's base URL. */
  readonly path: string;
  editRequest(raw: string, edits: NativeEdits): string;
  /** `choices`: how many the client asked for; the answer is complete when each has finished. Default 1. */
  scanner(hideUsage: boolean, choices?: number): NativeScanner;
  frame(data: string): string;
  /** The clean end of a stream. */
  readonly doneFrame: string;
  errorFrame(error: GatewayError): string;
}
