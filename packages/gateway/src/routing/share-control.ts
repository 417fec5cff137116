import type { ControlChoice } from "../core/decision.ts";
import type { ShareTarget } from "../core/strategy.ts";
import { DollarPace, type Pace } from "./share-control-pace.ts";
import { ScoreWindow } from "./share-control-window.ts";

/** Scores that the threshold is a quantile of: enough for a share of 1 %, few enough to follow a change of traffic. */
const windowScores = 400;

/** How far each owed request moves the share aimed at, as a part of `share × (1 − share)`; a large debt counts double. */
const proportional = 0.15;
const progressive = 0.05;

/** A debt is not remembered beyond this, or a long outage would be paid back at once. */
const mostDebt = 20;

/** Thresholds that nothing and everything passes. */
const nothing = 1;
const everything = 0;

/**
 * Holds a share of requests, or of dollars, that goes to cloud, whatever the scores look like. The threshold is the quantile
 * of recent scores that leaves the share above it, and every choice moves it: up after a cloud request, down after a
 * local one, by `routed − target`, in ranks instead of scores so that the step fits any scale. Equal scores are
 * dealt out by what is owed. Deterministic.
 */
export class ShareControl {
  readonly #share: number;
  readonly #pace: DollarPace | undefined;
  readonly #window = new ScoreWindow(windowScores);
  /** Cloud requests owed: what the target asked for less what was routed. */
  #debt = 0;
  #threshold = nothing;

  constructor(target: ShareTarget) {
    this.#share = target.kind === "cloud-share" ? Math.min(1, Math.max(0, target.share)) : 0;
    this.#pace = target.kind === "dollars-per-day" ? new DollarPace(target.dollars) : undefined;
  }

  /** What the last choice went by. */
  get threshold(): number {
    return this.#threshold;
  }

  /** Chooses for one request and counts it. */
  choose(score: number, nowMs: number): ControlChoice {
    const known = Number.isFinite(score) ? score : 0;
    const pace = this.#pace?.arrive(nowMs) ?? { share: this.#share, debt: this.#debt };
    const cloud = this.#isCloud(known, pace);
    this.#window.add(known);
    if (cloud) this.#pace?.send();
    this.#debt = Math.min(mostDebt, Math.max(-mostDebt, this.#debt + pace.share - (cloud ? 1 : 0)));
    return { threshold: this.#threshold, chose: cloud ? "cloud" : "local" };
  }

  /** Counts what a cloud request cost, in dollars; matters to a target of dollars only. */
  spent(costUsd: number, nowMs: number): void {
    this.#pace?.spent(costUsd, nowMs);
  }

  #isCloud(score: number, { share, debt }: Pace): boolean {
    const bounded = Math.min(mostDebt, Math.max(-mostDebt, debt));
    const aim = share + share * (1 - share) * bounded * (proportional + progressive * Math.abs(bounded));
    if (aim <= 0) {
      this.#threshold = nothing;
      return false;
    }
    if (aim >= 1) {
      this.#threshold = everything;
      return true;
    }
    const quantile = this.#window.above(aim);
    if (quantile !== undefined) this.#threshold = quantile;
    if (quantile !== undefined && score !== quantile) return score > quantile;
    return debt + share >= 0.5;
  }
}
