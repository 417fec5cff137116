import type { JsonObject } from "../lib/json.ts";
import type { FinishReason } from "./chat.ts";
import type { GatewayError } from "./errors.ts";
import type { ReportedUsage } from "./usage.ts";

/**
 * One step of a streamed answer, of one choice. A well-formed stream is
 * `start` → (content | `usage` | `ping`)* → `finish` → `usage`? → `end`, or breaks off with one `error` as its last event.
 */
export type ChatEvent =
  | { readonly type: "start"; readonly id: string | undefined; readonly model: string | undefined }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** Opens call `index` (0, 1, 2 … counting calls); its arguments follow. */
  | {
      readonly type: "tool-call";
      readonly index: number;
      readonly id: string;
      readonly name: string;
      readonly custom?: boolean;
    }
  | { readonly type: "tool-arguments"; readonly index: number; readonly text: string }
  | { readonly type: "refusal"; readonly text: string }
  /** The whole list of signed reasoning blocks, once, before `finish`. */
  | { readonly type: "thinking-blocks"; readonly blocks: readonly JsonObject[] }
  | { readonly type: "annotations"; readonly annotations: readonly JsonObject[] }
  | { readonly type: "finish"; readonly reason: FinishReason }
  /** Running totals so far; the last one is final. */
  | ({ readonly type: "usage" } & ReportedUsage)
  | { readonly type: "ping" }
  /** The upstream ended cleanly. Always the last event of a good stream. */
  | { readonly type: "end" }
  | { readonly type: "error"; readonly error: GatewayError };

/**
 * Tells whether an event commits the exchange to its target: from here on nothing may be retried.
 * @see docs/spec/wire-formats.md 0.5
 */
export function isContent(event: ChatEvent): boolean {
  switch (event.type) {
    case "text":
    case "reasoning":
    case "refusal":
      return event.text !== "";
    case "tool-call":
    case "tool-arguments":
    case "finish":
      return true;
    default:
      return false;
  }
}
