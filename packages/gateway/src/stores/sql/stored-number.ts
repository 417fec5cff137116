/** A whole number that fits every column, whatever an upstream claimed. */
export function storedInteger(value: number): number {
  if (!(value > 0)) return value < 0 ? Math.max(Math.round(value), Number.MIN_SAFE_INTEGER) : 0;
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER);
}

export function storedIntegerOrNull(value: number | undefined): number | null {
  return value === undefined ? null : storedInteger(value);
}

/** Whole microseconds, so that sums are exact in any order. */
export function storedDuration(ms: number): number {
  return storedInteger(ms * 1_000);
}

export function storedDurationOrNull(ms: number | undefined): number | null {
  return ms === undefined ? null : storedDuration(ms);
}
