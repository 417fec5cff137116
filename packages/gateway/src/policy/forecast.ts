import type { ChatRequest } from "../core/chat.ts";
import type { Features } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { NanoDollars } from "../core/money.ts";
import { costOf, type Price } from "../core/price.ts";
import { noUsage } from "../core/usage.ts";

/** Tokens that one attempt is expected to use, or may use at most. */
export interface Forecast {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Tokens an image, a page or a clip may be counted as by those that count most. */
const mediaTokens = 16_384;
/** Markers a chat template puts around each message, at most. */
const tokensPerMessage = 16;

function choices({ extra }: ChatRequest): number {
  const n = extra["n"];
  return typeof n === "number" && Number.isInteger(n) && n > 1 ? Math.min(n, 128) : 1;
}

/** What a target probably uses. `predicted` is the output the model is likely to give to such a request. */
export function likely(request: ChatRequest, features: Features, predicted: number): Forecast {
  const outputTokens = Math.min(predicted, features.requestedMaxTokens ?? Number.POSITIVE_INFINITY);
  return { inputTokens: features.inputTokens, outputTokens: Math.ceil(outputTokens * choices(request)) };
}

/**
 * The most a target can use: a token is at least one byte of the request, and the output ends at the client's limit, the
 * model's own, or its window. Undefined when nothing bounds them.
 */
export function most(
  request: ChatRequest,
  features: Features,
  bytes: number,
  target: Deployment,
): Forecast | undefined {
  const limits = [features.requestedMaxTokens, target.maxOutputTokens, target.contextWindow];
  const known = limits.filter((limit) => limit !== undefined);
  if (known.length === 0) return undefined;
  const parts = request.messages.flatMap(({ content }) => content);
  // A document has as many tokens as it has pages, which only its reader knows: the window is what bounds it.
  const hasDocument = parts.some(({ type }) => type === "file" || type === "file-id");
  if (hasDocument && target.contextWindow === undefined) return undefined;
  const media = parts.filter(({ type }) => type === "image" || type === "audio").length;
  const counted = bytes + media * mediaTokens + request.messages.length * tokensPerMessage;
  const inputTokens = hasDocument ? Math.max(counted, target.contextWindow ?? 0) : counted;
  return { inputTokens, outputTokens: Math.min(...known) * choices(request) };
}

/** What a forecast costs at list rates, without luck in the provider's cache. */
export function likelyCost({ inputTokens, outputTokens }: Forecast, price: Price): NanoDollars {
  return costOf({ ...noUsage, inputTokens, outputTokens }, price);
}

/** What a forecast costs when every token is counted at the dearest rate there is. */
export function mostCost({ inputTokens, outputTokens }: Forecast, price: Price): NanoDollars {
  const inputs = [
    { inputTokens },
    { inputTokens, cacheWriteTokens: inputTokens },
    { inputTokens, cacheWriteTokens: inputTokens, longCacheWriteTokens: inputTokens },
    { inputTokens, audioInputTokens: inputTokens },
    { inputTokens, cachedReadTokens: inputTokens },
  ];
  const outputs = [
    { outputTokens },
    { outputTokens, reasoningTokens: outputTokens },
    { outputTokens, audioOutputTokens: outputTokens },
  ];
  const costs = inputs.flatMap((input) => outputs.map((output) => costOf({ ...noUsage, ...input, ...output }, price)));
  return Math.max(...costs) as NanoDollars;
}
