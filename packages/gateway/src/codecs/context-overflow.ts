import type { FinishReason } from "../core/chat.ts";
import { GatewayError, type Repair } from "../core/errors.ts";
import type { UpstreamFault } from "./upstream-fault.ts";

/** What an overflow error told: tokens of the prompt and of the window, as far as it named them. */
export interface ContextOverflow {
  readonly tokens?: number;
  readonly limit?: number;
  /** Present when the prompt fits and only the requested output does not. */
  readonly repair?: Repair;
}

/** Wordings that carry numbers; the groups `tokens` and `limit` may come in any order. */
const numbered: readonly RegExp[] = [
  /prompt is too long: (?<tokens>\d+) tokens > (?<limit>\d+) maximum/i,
  /exceed context limit: (?<tokens>\d+) \+ \d+ > (?<limit>\d+)/i,
  /maximum context length (?:is|of) (?<limit>\d+) tokens.*?(?:resulted in (?<tokens>\d+)|prompt contains at least (?<tokens2>\d+) input tokens|\((?<tokens3>\d+) in the messages|request has (?<tokens4>\d+) input tokens)/is,
  /input \((?<tokens>\d+) tokens\) is longer than the model's context length \((?<limit>\d+) tokens\)/i,
  /request \((?<tokens>\d+) tokens\) exceeds the available context size \((?<limit>\d+) tokens\)/i,
  /`inputs` tokens \+ `max_new_tokens` must be <= (?<limit>\d+)\. Given: (?<tokens>\d+)/i,
  /`inputs` must have less than (?<limit>\d+) tokens\. Given: (?<tokens>\d+)/i,
  /input token count(?: \((?<tokens>\d+)\))? exceeds the maximum number of tokens allowed(?: \((?<limit>\d+)\))?/i,
  /prompt contains (?<tokens>\d+) tokens.*?too large for model with (?<limit>\d+) maximum context length/is,
  /too large for model with (?<limit>\d+) maximum context length/i,
  /maximum prompt length is (?<limit>\d+)(?:.*?request contains (?<tokens>\d+) tokens)?/is,
  /prompt token count of (?<tokens>\d+) exceeds the limit of (?<limit>\d+)/i,
  /maximum context length (?:is|of) (?<limit>\d+)/i,
  /`inputs` must have less than (?<limit>\d+) tokens/i,
];

const wordings =
  /input is too long for requested model|exceeds the context window|exceeds the available context size|input length exceeds the context length|prompt is longer than the context length|exceeded max context length|reduce the length of the messages|exceeded model token limit|context window exceeds limit|greater than the context length|prompt is too long|context length exceeded/i;

/**
 * Tells whether a failure means that the prompt, or prompt and output, exceed the window. The caller has ruled out rate
 * limits, whose wording can be alike.
 * @see docs/spec/wire-formats.md 7.4
 */
export function detectContextOverflow(fault: UpstreamFault): ContextOverflow | undefined {
  const text = fault.message.slice(0, 8192);
  const told = numbers(text) ?? llamaNumbers(fault);
  const named =
    fault.code === "context_length_exceeded" ||
    fault.type === "exceed_context_size_error" ||
    told !== undefined ||
    wordings.test(text);
  if (!named) return undefined;
  const { tokens, limit } = told ?? {};
  return {
    ...(tokens !== undefined && { tokens }),
    ...(limit !== undefined && { limit }),
    ...(tokens !== undefined && limit !== undefined && limit > tokens && { repair: shorterOutput(limit - tokens) }),
  };
}

interface SilentOverflowFacts {
  readonly finishReason: FinishReason;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly contextWindow: number;
}

/**
 * Recognises an answer of 200 that is an overflow: no output at a full window, or a prompt counted above the window.
 * @see docs/spec/wire-formats.md 7.4 item 4
 */
export function detectSilentOverflow(facts: SilentOverflowFacts): GatewayError | undefined {
  const full =
    facts.finishReason === "length" && facts.outputTokens === 0 && facts.inputTokens >= facts.contextWindow * 0.99;
  if (!full && facts.inputTokens <= facts.contextWindow) return undefined;
  return new GatewayError(
    "context_length_exceeded",
    `The prompt has ${facts.inputTokens} tokens and fills the model's window of ${facts.contextWindow} tokens.`,
    { tokens: facts.inputTokens, limit: facts.contextWindow },
  );
}

function shorterOutput(maxTokens: number): Repair {
  return { type: "max-tokens", maxTokens };
}

function numbers(text: string): { tokens: number | undefined; limit: number | undefined } | undefined {
  for (const pattern of numbered) {
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) continue;
    const tokens = groups["tokens"] ?? groups["tokens2"] ?? groups["tokens3"] ?? groups["tokens4"];
    return { tokens: toCount(tokens), limit: toCount(groups["limit"]) };
  }
  return undefined;
}

function llamaNumbers({ raw }: UpstreamFault): { tokens: number | undefined; limit: number | undefined } | undefined {
  const tokens = toCount(raw["n_prompt_tokens"]);
  const limit = toCount(raw["n_ctx"]);
  return tokens === undefined && limit === undefined ? undefined : { tokens, limit };
}

function toCount(value: unknown): number | undefined {
  const count = typeof value === "string" ? Number(value) : value;
  return typeof count === "number" && Number.isSafeInteger(count) ? count : undefined;
}
