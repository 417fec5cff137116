/** Returns a number where that is exact, and the bigint where it is not. */
export function exactInteger(value: bigint): number | bigint {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : value;
}
