import type { Features } from "../../core/decision.ts";
import type { Deployment, DeploymentId } from "../../core/deployment.ts";
import type { DeploymentState } from "../../routing/deployment-state.ts";
import { LiveState } from "../../routing/live-state.ts";
import { TargetView } from "../../routing/target-view.ts";
import { TtftPredictor } from "../../routing/ttft-predictor.ts";

/** What a decision recorded of one target. */
export interface RecordedFigures {
  readonly inFlight: number;
  /** Undefined where the decision did not ask for it. */
  readonly ttftMs: number | undefined;
}

/** Predicts what it is told to. */
class ToldTtft extends TtftPredictor {
  #ms = 1;

  tell(ms: number): void {
    this.#ms = ms;
  }

  override predict(): number {
    return this.#ms;
  }
}

/**
 * Live state that shows what the decision at hand recorded, where it did. Between decisions it is what the recorded
 * attempts made of it, to a millisecond: too coarse to tell apart targets that are almost equally fast.
 */
export class RecordedLiveState extends LiveState {
  readonly #shown = new Map<DeploymentId, DeploymentState>();

  override deployment(target: Deployment): DeploymentState {
    return this.#shown.get(target.id) ?? super.deployment(target);
  }

  /** Only looks at what is shown are allowed until `hide`. */
  show(target: Deployment, { inFlight, ttftMs }: RecordedFigures, features: Features, nowMs: number): void {
    const state = super.deployment(target);
    if (ttftMs === undefined) {
      this.#shown.set(target.id, Object.create(state, { inFlight: { value: inFlight } }) as DeploymentState);
      return;
    }
    const ttft = new ToldTtft();
    const shown = Object.create(state, { inFlight: { value: inFlight }, ttft: { value: ttft } }) as DeploymentState;
    this.#shown.set(target.id, shown);
    // A view makes an old prediction smaller, and what was recorded is what a view said.
    const unknown = { priceOf: () => undefined, predictOutput: () => 1 };
    const hope = new TargetView(target, { features, live: this, nowMs, ...unknown }).knownTtftMs ?? 1;
    ttft.tell(ttftMs / hope);
  }

  hide(): void {
    this.#shown.clear();
  }
}
