/**
 * Tokens of one exchange or attempt, normalised over protocols. All counts are whole tokens.
 * `inputTokens` includes cached reads, cache writes and audio; `outputTokens` includes reasoning and audio.
 * @see docs/spec/wire-formats.md 2 and 4.3 for how each provider's counts map
 */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly cachedReadTokens: number;
  readonly cacheWriteTokens: number;
  /** The part of `cacheWriteTokens` that is kept for an hour, at a higher price. */
  readonly longCacheWriteTokens: number;
  readonly audioInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly audioOutputTokens: number;
}

/** What an upstream said it used: in our terms, and in its own words, which nothing computes with. */
export interface ReportedUsage {
  readonly usage: TokenUsage;
  /** The upstream's usage object, untouched; of several in one stream, the later ones laid over the earlier. */
  readonly raw: unknown;
}

export const noUsage: TokenUsage = {
  inputTokens: 0,
  cachedReadTokens: 0,
  cacheWriteTokens: 0,
  longCacheWriteTokens: 0,
  audioInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  audioOutputTokens: 0,
};

export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cachedReadTokens: a.cachedReadTokens + b.cachedReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    longCacheWriteTokens: a.longCacheWriteTokens + b.longCacheWriteTokens,
    audioInputTokens: a.audioInputTokens + b.audioInputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    audioOutputTokens: a.audioOutputTokens + b.audioOutputTokens,
  };
}
