/** Kinds of draws that are kept count of; what comes after them is as if it were the first. */
const mostKinds = 1_000;
/** Deviations of so many standard deviations are chance. */
const chance = 3;

interface Share {
  expected: number;
  variance: number;
  given: number;
}

/**
 * Chooses where chance decides between equal targets: the recorded one, as long as all such requests together do not go
 * there more often than chance explains; else the one that is furthest behind its share. So a replay moves nothing
 * that only another draw would have moved, and shares are still those of the policy.
 */
export class FairChance {
  readonly #kinds = new Map<string, Map<string, Share>>();

  /** `draws` is how often each target came first in some draws. */
  choose(draws: ReadonlyMap<string, number>, recorded: string | undefined): string {
    const total = [...draws.values()].reduce((sum, count) => sum + count, 0);
    const kind = [...draws.keys()].sort().join("\n");
    let shares = this.#kinds.get(kind);
    if (shares === undefined) {
      shares = new Map();
      if (this.#kinds.size < mostKinds) this.#kinds.set(kind, shares);
    }
    let chosen = { target: "", behind: Number.NEGATIVE_INFINITY };
    for (const [target, count] of draws) {
      const share = shares.get(target) ?? { expected: 0, variance: 0, given: 0 };
      shares.set(target, share);
      const probability = count / total;
      share.expected += probability;
      share.variance += probability * (1 - probability);
      const behind = share.expected - share.given;
      const isKept = target === recorded && 1 - behind <= chance * Math.sqrt(share.variance) + 1;
      if (isKept) chosen = { target, behind: Number.POSITIVE_INFINITY };
      else if (behind > chosen.behind) chosen = { target, behind };
    }
    const given = shares.get(chosen.target);
    if (given !== undefined) given.given++;
    return chosen.target;
  }
}
