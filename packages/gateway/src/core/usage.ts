/**
 * Tokens of one exchange, normalised over protocols. All counts are whole tokens.
 * `inputTokens` includes cached reads and cache writes; `outputTokens` includes reasoning.
 * @see docs/spec/wire-formats.md 2 and 4.3 for how each provider's counts map
 */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly cachedReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

export const noUsage: TokenUsage = {
  inputTokens: 0,
  cachedReadTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
