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
  /** What the last choice went by. */
  #threshold = nothing;

  constructor(target: ShareTarget) {
    this.#share = target.kind === "cloud-share" ? Math.min(1, Math.max(0, target.share)) : 0;
    this.#pace = target.kind === "dollars-per-day" ? new DollarPace(target.dollars) : undefined;
  }

  /** What would be chosen for a request that came now; counts nothing. */
  peek(score: number): ControlChoice {
    return this.#choice(score, this.#pace?.now() ?? { share: this.#share, debt: this.#debt });
  }

  /** Chooses for one request and counts it. */
  choose(score: number, nowMs: number): ControlChoice {
    const pace = this.#pace?.arrive(nowMs) ?? { share: this.#share, debt: this.#debt };
    const choice = this.#choice(score, pace);
    const isCloud = choice.chose === "cloud";
    this.#threshold = choice.threshold;
    this.#window.add(knownScore(score));
    if (isCloud) this.#pace?.send();
    this.#debt = Math.min(mostDebt, Math.max(-mostDebt, this.#debt + pace.share - (isCloud ? 1 : 0)));
    return choice;
  }

  /** Counts what a cloud request cost, in dollars; matters to a target of dollars only. */
  spent(costUsd: number, nowMs: number): void {
    this.#pace?.spent(costUsd, nowMs);
  }

  #choice(score: number, { share, debt }: Pace): ControlChoice {
    const bounded = Math.min(mostDebt, Math.max(-mostDebt, debt));
    const aim = share + share * (1 - share) * bounded * (proportional + progressive * Math.abs(bounded));
    if (aim <= 0) return { threshold: nothing, chose: "local" };
    if (aim >= 1) return { threshold: everything, chose: "cloud" };
    const known = knownScore(score);
    const threshold = this.#window.above(aim);
    const isTie = threshold === undefined || known === threshold;
    const isCloud = isTie ? debt + share >= 0.5 : known > threshold;
    return { threshold: threshold ?? this.#threshold, chose: isCloud ? "cloud" : "local" };
  }
}

function knownScore(score: number): number {
  return Number.isFinite(score) ? score : 0;
}
