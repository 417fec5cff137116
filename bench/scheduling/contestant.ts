import type { SimulatedRequest } from "./workload.ts";

/** Index of an engine, or the cloud. */
export type Choice = number | "cloud";

/** What one engine's metrics tell. */
export interface ScrapedLoad {
  readonly running: number;
  readonly waiting: number;
}

/** A router on trial: it sees what a gateway sees and nothing else. */
export interface Contestant {
  choose(request: SimulatedRequest, nowMs: number): { readonly choice: Choice; readonly events: AttemptEvents };
  /** Metrics of one engine, as old as they are when they arrive. */
  scraped(engine: number, load: ScrapedLoad, nowMs: number): void;
}

/** What a gateway sees of one attempt. */
export interface AttemptEvents {
  firstToken(nowMs: number): void;
  end(outputTokens: number, nowMs: number): void;
}
