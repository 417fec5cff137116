const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** A worker that was up for so long has begun well. */
const goodMs = 10_000;
const mostFailures = 6;

/**
 * What follows when a worker ended that was up for so long. `failures`: how often it ended soon, one after the other;
 * without a pause it is not worth another try.
 */
export function restartPause(
  failures: number,
  upMs: number,
): { readonly failures: number; readonly pauseMs: number | undefined } {
  const now = upMs >= goodMs ? 1 : failures + 1;
  if (now > mostFailures) return { failures: now, pauseMs: undefined };
  return { failures: now, pauseMs: Math.min(longestPauseMs, firstPauseMs * 2 ** (now - 1)) };
}
