import type { Deployment } from "../core/deployment.ts";
import { Demand } from "./demand.ts";
import { MovingAverage } from "./moving-average.ts";
import { type ModelLoad, type Readiness, readinessOf, type UpstreamReadiness, type WakePhase } from "./readiness.ts";

/** A server that does not tell may have dropped a model that nobody asked for this long. */
const idleMs = 300_000;

/** Readiness of one deployment, with what it follows from beside its upstream. Outlives requests and configs. */
export class ReadinessState {
  readonly demand = new Demand();
  phase: WakePhase | undefined;
  /** Monotonic time of the last request it served; 0 for never. */
  lastServedMs = 0;
  #load: ModelLoad | undefined;
  #loadingUntilMs = 0;
  /** The last few cold starts count most. */
  readonly #coldStart = new MovingAverage(1 / 4);
  #last: Readiness = "unknown";
  #sinceMs = 0;

  /** From wake-up to readiness, as lately seen; undefined before the first. */
  get coldStartMs(): number | undefined {
    return this.#coldStart.value;
  }

  /** Monotonic time since which it is as it was last seen. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Looks at it now. */
  see(target: Deployment, upstream: UpstreamReadiness, isDrained: boolean, nowMs: number): Readiness {
    const { placement, wake } = target.upstream;
    const isLocal = placement === "local";
    const now = readinessOf({
      upstream,
      load: !isLocal ? undefined : this.#loadingUntilMs > nowMs ? "loading" : this.#load,
      wakesModel: wake?.covers === "model",
      startsServer: wake?.startsServer ?? false,
      phase: this.phase,
      isDrained,
    });
    if (now !== this.#last) {
      this.#last = now;
      this.#sinceMs = nowMs;
    }
    return now;
  }

  /** Its server told of it; undefined where it does not. */
  noteLoad(load: ModelLoad | undefined): void {
    this.#load = load;
    if (load === "loaded") this.#loadingUntilMs = 0;
  }

  /** It answered that it is still being loaded; that is believed until `untilMs`, or its server says otherwise. */
  noteLoading(untilMs: number): void {
    this.#loadingUntilMs = Math.max(this.#loadingUntilMs, untilMs);
  }

  /** It served a request: the best proof there is. */
  noteServed(nowMs: number): void {
    this.lastServedMs = nowMs;
    this.#loadingUntilMs = 0;
    if (this.#load !== undefined) this.#load = "loaded";
  }

  /** A wake-up led to readiness. */
  noteColdStart(ms: number): void {
    this.#coldStart.learn(ms);
  }

  /** Whether its server may have to load it before it answers, ready as it is. */
  mayLoad(nowMs: number): boolean {
    if (this.#load !== undefined) return this.#load !== "loaded";
    return this.lastServedMs === 0 || nowMs - this.lastServedMs > idleMs;
  }
}
