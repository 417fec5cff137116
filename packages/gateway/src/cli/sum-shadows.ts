import type { Mean, ShadowResults, ShadowSkip } from "../pipeline/shadow-tally.ts";

/** One shadow's results over several processes: counts are added, means weighed by what they are over. */
export function sumShadows(all: readonly ShadowResults[]): ShadowResults {
  const total = (read: (results: ShadowResults) => number): number => all.reduce((sum, one) => sum + read(one), 0);
  const mean = (read: (results: ShadowResults) => Mean): Mean => {
    const of = total((one) => read(one).of);
    return { mean: of === 0 ? null : total((one) => (read(one).mean ?? 0) * read(one).of) / of, of };
  };
  const skips = [...new Set(all.flatMap(({ skipped }) => Object.keys(skipped)))] as ShadowSkip[];
  return {
    drawn: total(({ drawn }) => drawn),
    running: total(({ running }) => running),
    answered: total(({ answered }) => answered),
    failed: total(({ failed }) => failed),
    compared: total(({ compared }) => compared),
    skipped: Object.fromEntries(
      skips.map((why) => [why, total(({ skipped }) => skipped[why] ?? 0)]),
    ) as ShadowResults["skipped"],
    sameFinish: mean(({ sameFinish }) => sameFinish),
    similarity: mean(({ similarity }) => similarity),
    sameText: mean(({ sameText }) => sameText),
    sameCalls: mean(({ sameCalls }) => sameCalls),
    bothJson: mean(({ bothJson }) => bothJson),
    lengthRatio: mean(({ lengthRatio }) => lengthRatio),
    durationDifferenceMs: mean(({ durationDifferenceMs }) => durationDifferenceMs),
    firstContentDifferenceMs: mean(({ firstContentDifferenceMs }) => firstContentDifferenceMs),
    costDifferenceUsd: mean(({ costDifferenceUsd }) => costDifferenceUsd),
  };
}
