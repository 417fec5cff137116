/** Where a request went, as the field reports it. */
export type Tier = "self-hosted" | "cheap cloud" | "premium cloud" | "refused";

export interface Shares {
  readonly requests: number;
  /** Of all requests, 0 to 1. */
  readonly tiers: Readonly<Record<Tier, number>>;
  readonly costUsd: number;
  /** What the same requests would have cost on the reference model. */
  readonly referenceUsd: number;
  /** 0 to 1; undefined where the reference costs nothing. */
  readonly saving: number | undefined;
  /** Requests without a price; they are in neither sum. */
  readonly unpriced: number;
  /** By reason, the most frequent first. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Adds up where one strategy's requests went and what they cost. */
export class ShareTally {
  readonly #tiers: Record<Tier, number> = { "self-hosted": 0, "cheap cloud": 0, "premium cloud": 0, refused: 0 };
  readonly #reasons = new Map<string, number>();
  #requests = 0;
  #costUsd = 0;
  #referenceUsd = 0;
  #unpriced = 0;

  /** Costs are undefined where nobody knows them. */
  add(tier: Tier, reason: string, costUsd: number | undefined, referenceUsd: number | undefined): void {
    this.#requests++;
    this.#tiers[tier]++;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    // What is refused saves nothing.
    if (tier === "refused") return;
    if (costUsd === undefined || referenceUsd === undefined) {
      this.#unpriced++;
      return;
    }
    this.#costUsd += costUsd;
    this.#referenceUsd += referenceUsd;
  }

  get shares(): Shares {
    const part = (tier: Tier): number => (this.#requests === 0 ? 0 : this.#tiers[tier] / this.#requests);
    return {
      requests: this.#requests,
      tiers: {
        "self-hosted": part("self-hosted"),
        "cheap cloud": part("cheap cloud"),
        "premium cloud": part("premium cloud"),
        refused: part("refused"),
      },
      costUsd: this.#costUsd,
      referenceUsd: this.#referenceUsd,
      saving: this.#referenceUsd === 0 ? undefined : 1 - this.#costUsd / this.#referenceUsd,
      unpriced: this.#unpriced,
      reasons: Object.fromEntries([...this.#reasons].sort(([, a], [, b]) => b - a)),
    };
  }
}
