import type { PlacementFacts } from "../core/routing-facts.ts";
import type { TargetView } from "./target-view.ts";

/** All deployments of one placement taken together, as one request sees them. Computed when asked. */
export class PlacementView implements PlacementFacts {
  readonly #views: readonly TargetView[];

  constructor(views: readonly TargetView[]) {
    this.#views = views;
  }

  get count(): number {
    return this.#views.length;
  }

  get ready(): number {
    return countOf(this.#views, (view) => view.ready);
  }

  get adequate(): number {
    return countOf(this.#views, (view) => view.adequate);
  }

  get promptAdequate(): number {
    return countOf(this.#views, (view) => view.promptAdequate);
  }

  get inFlight(): number {
    return this.#views.reduce((sum, view) => sum + view.inFlight, 0);
  }

  /** A ready target that was never measured and has no queue might be fast: nobody knows, so nothing leaves on a guess. */
  get ttftMs(): number {
    let least = Number.POSITIVE_INFINITY;
    let isReady = false;
    for (const view of this.#views) {
      if (!view.ready) continue;
      isReady = true;
      const ms = view.knownTtftMs;
      if (ms === undefined && view.queueDepth === 0) return 0;
      if (ms !== undefined && ms < least) least = ms;
    }
    return isReady && least === Number.POSITIVE_INFINITY ? 0 : least;
  }
}

function countOf(views: readonly TargetView[], is: (view: TargetView) => boolean): number {
  return views.reduce((count, view) => count + (is(view) ? 1 : 0), 0);
}
