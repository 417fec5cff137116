import type { RecordedRequest } from "./recorded-request.ts";

class Mean {
  #sum = 0;
  #count = 0;

  add(value: number | undefined, times = 1): void {
    if (value === undefined) return;
    this.#sum += value * times;
    this.#count += times;
  }

  /** Undefined of nothing. */
  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#sum / this.#count;
  }
}

interface Seen {
  readonly firstContent: Mean;
  readonly duration: Mean;
  /** Requests that the other policy brings here. */
  brought: number;
}

export interface LatencyMeans {
  readonly firstContentMs: number | undefined;
  readonly durationMs: number | undefined;
  /** Answers that are in neither mean: their target answered nothing in this traffic. */
  readonly unknown: number;
}

/** More targets than any config has; what comes after them is unknown. */
const mostTargets = 10_000;

/** Latency as this very traffic saw it: each answer's own, and for a moved request the mean of its new target. */
export class ObservedLatency {
  readonly #targets = new Map<string, Seen>();
  readonly #before = { firstContent: new Mean(), duration: new Mean() };
  readonly #stayed: { firstContent: Mean; duration: Mean } = { firstContent: new Mean(), duration: new Mean() };
  #lost = 0;

  /** `answeredBy` is where it was answered; undefined when it failed. `goesTo` likewise, by the other policy. */
  add(request: RecordedRequest, answeredBy: string | undefined, goesTo: string | undefined): void {
    const { firstContentMs, durationMs } = request;
    if (answeredBy !== undefined) {
      const seen = this.#seen(answeredBy);
      const means = answeredBy === goesTo ? [this.#before, this.#stayed, seen] : [this.#before, seen];
      for (const mean of means) {
        mean?.firstContent.add(firstContentMs);
        mean?.duration.add(durationMs);
      }
    }
    if (goesTo === undefined || goesTo === answeredBy) return;
    const seen = this.#seen(goesTo);
    if (seen === undefined) this.#lost++;
    else seen.brought++;
  }

  get before(): LatencyMeans {
    const { firstContent, duration } = this.#before;
    return { firstContentMs: firstContent.value, durationMs: duration.value, unknown: 0 };
  }

  /** Call it once, at the end. */
  after(): LatencyMeans {
    const { firstContent, duration } = this.#stayed;
    let unknown = this.#lost;
    for (const seen of this.#targets.values()) {
      firstContent.add(seen.firstContent.value, seen.brought);
      duration.add(seen.duration.value, seen.brought);
      if (seen.duration.value === undefined) unknown += seen.brought;
    }
    return { firstContentMs: firstContent.value, durationMs: duration.value, unknown };
  }

  /** What was seen of each target that answered. */
  targets(): Readonly<Record<string, LatencyMeans>> {
    const told = [...this.#targets].filter(([, { duration }]) => duration.value !== undefined);
    return Object.fromEntries(
      told.map(([id, { firstContent, duration }]) => [
        id,
        { firstContentMs: firstContent.value, durationMs: duration.value, unknown: 0 },
      ]),
    );
  }

  #seen(target: string): Seen | undefined {
    let seen = this.#targets.get(target);
    if (seen === undefined && this.#targets.size < mostTargets) {
      seen = { firstContent: new Mean(), duration: new Mean(), brought: 0 };
      this.#targets.set(target, seen);
    }
    return seen;
  }
}
