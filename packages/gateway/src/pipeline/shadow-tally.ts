import { toDollars } from "../core/money.ts";
import type { Comparison } from "./shadow-comparison.ts";

/** Why a request that was drawn was not copied. */
export const shadowSkips = [
  "not_ok",
  "residency",
  "client_preference",
  "key_not_allowed",
  "cannot_serve",
  "not_ready",
  "busy",
  "memory",
  "cap",
  "refused",
  "unpriced",
  "draining",
] as const;
export type ShadowSkip = (typeof shadowSkips)[number];

/** A mean over so many copies; null over none. */
export interface Mean {
  readonly mean: number | null;
  readonly of: number;
}

/** What copies took longer or cost more than the answers they are compared with; undefined where either is not known. */
export interface ShadowDifferences {
  readonly durationMs: number;
  readonly firstContentMs: number | undefined;
  /** Nano-dollars. */
  readonly cost: number | undefined;
}

/** A shadow's results since the process began, as plain data. Shares are means of 0 and 1. */
export interface ShadowResults {
  readonly drawn: number;
  readonly running: number;
  readonly answered: number;
  readonly failed: number;
  readonly compared: number;
  readonly skipped: Readonly<Record<ShadowSkip, number>>;
  readonly sameFinish: Mean;
  readonly similarity: Mean;
  readonly sameText: Mean;
  readonly sameCalls: Mean;
  readonly bothJson: Mean;
  readonly lengthRatio: Mean;
  readonly durationDifferenceMs: Mean;
  readonly firstContentDifferenceMs: Mean;
  readonly costDifferenceUsd: Mean;
}

class RunningMean {
  #sum = 0;
  #count = 0;

  add(value: number | boolean | undefined): void {
    if (value === undefined) return;
    this.#sum += Number(value);
    this.#count++;
  }

  get mean(): Mean {
    return { mean: this.#count === 0 ? null : this.#sum / this.#count, of: this.#count };
  }
}

/** Counts one shadow's copies and what comparing them told: a few numbers, however many there are. */
export class ShadowTally {
  drawn = 0;
  running = 0;
  answered = 0;
  failed = 0;
  #compared = 0;
  readonly #skipped = new Map<ShadowSkip, number>();
  readonly #sameFinish = new RunningMean();
  readonly #similarity = new RunningMean();
  readonly #sameText = new RunningMean();
  readonly #sameCalls = new RunningMean();
  readonly #bothJson = new RunningMean();
  readonly #lengthRatio = new RunningMean();
  readonly #duration = new RunningMean();
  readonly #firstContent = new RunningMean();
  readonly #cost = new RunningMean();

  skip(why: ShadowSkip): void {
    this.#skipped.set(why, (this.#skipped.get(why) ?? 0) + 1);
  }

  compared(comparison: Comparison, { durationMs, firstContentMs, cost }: ShadowDifferences): void {
    this.#compared++;
    this.#sameFinish.add(comparison.sameFinish);
    this.#similarity.add(comparison.similarity);
    this.#sameText.add(comparison.sameText);
    this.#sameCalls.add(comparison.sameCalls);
    this.#bothJson.add(comparison.bothJson);
    this.#lengthRatio.add(comparison.lengthRatio);
    this.#duration.add(durationMs);
    this.#firstContent.add(firstContentMs);
    this.#cost.add(cost === undefined ? undefined : toDollars(cost));
  }

  results(): ShadowResults {
    const { drawn, running, answered, failed } = this;
    return {
      drawn,
      running,
      answered,
      failed,
      compared: this.#compared,
      skipped: Object.fromEntries(
        shadowSkips.map((why) => [why, this.#skipped.get(why) ?? 0]),
      ) as ShadowResults["skipped"],
      sameFinish: this.#sameFinish.mean,
      similarity: this.#similarity.mean,
      sameText: this.#sameText.mean,
      sameCalls: this.#sameCalls.mean,
      bothJson: this.#bothJson.mean,
      lengthRatio: this.#lengthRatio.mean,
      durationDifferenceMs: this.#duration.mean,
      firstContentDifferenceMs: this.#firstContent.mean,
      costDifferenceUsd: this.#cost.mean,
    };
  }
}
