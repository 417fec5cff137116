import { type JsonObject, parseJson } from "./json.ts";
import { countTokens, IMAGE_TOKENS, MESSAGE_TOKENS, PRIMING_TOKENS, TOOL_TOKENS } from "./tokenizer.ts";

/** A tool the client offers. */
export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly schema: JsonObject;
}

/** An image in the last user turn. */
export interface PromptImage {
  readonly mediaType: string;
  readonly url: string | null;
}

/** How the client wants tools used. */
export type ToolChoice =
  | { readonly kind: "auto" | "none" | "required" }
  | { readonly kind: "named"; readonly name: string };

/** What a request asks, stripped of the wire format it came in. */
export interface Prompt {
  readonly system: string;
  readonly userText: string;
  readonly images: readonly PromptImage[];
  /** Results in the final turn; the answer echoes them. */
  readonly toolResults: readonly string[];
  readonly tools: readonly OfferedTool[];
  readonly toolChoice: ToolChoice;
  readonly parallelTools: boolean;
  readonly outputSchema: JsonObject | null;
  readonly jsonObject: boolean;
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly reasoning: boolean;
  readonly promptTokens: number;
  readonly seed: string;
  /** The answer's beginning, which the client gave; the answer goes on from it. */
  readonly begun: string;
}

/** Sums prompt tokens by the documented rule, equal for equal conversations in both wire formats. */
export class PromptMeter {
  #tokens = PRIMING_TOKENS;

  get tokens(): number {
    return this.#tokens;
  }

  /** Counts the frame of a message, system text or tool result. */
  message(): void {
    this.#tokens += MESSAGE_TOKENS;
  }

  text(text: string): void {
    this.#tokens += countTokens(text);
  }

  image(): void {
    this.#tokens += IMAGE_TOKENS;
  }

  /** Counts a call in the history; arguments are normalised so that both formats agree. */
  call(name: string, args: string): void {
    const parsed = args === "" ? {} : parseJson(args);
    this.#tokens += countTokens(name) + countTokens(parsed === undefined ? args : JSON.stringify(parsed));
  }

  tool(tool: OfferedTool): void {
    this.#tokens +=
      TOOL_TOKENS + countTokens(tool.name) + countTokens(tool.description) + countTokens(JSON.stringify(tool.schema));
  }
}
