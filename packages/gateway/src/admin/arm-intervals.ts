/** Where a true value lies with 95 % confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A mean with its standard error, which is undefined where too little is known. */
export interface BatchMean {
  readonly mean: number | undefined;
  readonly error: number | undefined;
  /** Batches less one. */
  readonly freedom: number;
}

/** 97.5 % quantile of the normal distribution. */
const z = 1.959_964;
/** With fewer hours, their scatter says nothing. */
const leastBatches = 10;

/** Wilson's interval for a share: right for few requests and for none that failed too. */
export function shareInterval(hits: number, of: number): Interval | undefined {
  if (of === 0) return undefined;
  const share = hits / of;
  const middle = share + (z * z) / (2 * of);
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const scale = 1 + (z * z) / of;
  return { low: Math.max(0, (middle - spread) / scale), high: Math.min(1, (middle + spread) / scale) };
}

/** Newcombe's interval for the difference of two shares, `one` minus `other`. */
export function shareDifference(
  one: { readonly hits: number; readonly of: number },
  other: { readonly hits: number; readonly of: number },
): Interval | undefined {
  const [a, b] = [shareInterval(one.hits, one.of), shareInterval(other.hits, other.of)];
  if (a === undefined || b === undefined) return undefined;
  const [p, q] = [one.hits / one.of, other.hits / other.of];
  return {
    low: p - q - Math.hypot(p - a.low, b.high - q),
    high: p - q + Math.hypot(a.high - p, q - b.low),
  };
}

/**
 * The mean over all, and its error from how the hours' own means scatter (batch means, as a ratio of sums). Single
 * requests are not looked at, so a conversation that repeats itself within an hour does not count as many.
 */
export function batchMean(batches: readonly { readonly sum: number; readonly count: number }[]): BatchMean {
  const used = batches.filter(({ count }) => count > 0);
  const count = used.reduce((total, batch) => total + batch.count, 0);
  const freedom = Math.max(0, used.length - 1);
  if (count === 0) return { mean: undefined, error: undefined, freedom };
  const mean = used.reduce((total, { sum }) => total + sum, 0) / count;
  if (used.length < leastBatches) return { mean, error: undefined, freedom };
  const squares = used.reduce((total, batch) => total + (batch.sum - mean * batch.count) ** 2, 0);
  return { mean, error: Math.sqrt((squares * used.length) / freedom) / count, freedom };
}

/** 97.5 % quantile of Student's distribution, to a hundredth from 9 degrees of freedom on. */
const quantile = (freedom: number): number => z + 2.37 / freedom + 2.8 / (freedom * freedom);

export function meanInterval({ mean, error, freedom }: BatchMean): Interval | undefined {
  if (mean === undefined || error === undefined) return undefined;
  const spread = quantile(freedom) * error;
  return { low: mean - spread, high: mean + spread };
}

/** The interval of `one` minus `other`. */
export function meanDifference(one: BatchMean, other: BatchMean): Interval | undefined {
  if (one.mean === undefined || other.mean === undefined) return undefined;
  if (one.error === undefined || other.error === undefined) return undefined;
  const spread = quantile(Math.min(one.freedom, other.freedom)) * Math.hypot(one.error, other.error);
  const difference = one.mean - other.mean;
  return { low: difference - spread, high: difference + spread };
}
