import type { FairleadConfig } from "@fairlead/contract/config-schema";

/** Set in the environment of a worker. */
export const workerVariable = "FAIRLEAD_WORKER";

/** The config that a gateway of several workers started with: the same for each, whatever the file says by now. */
export type GivenConfig =
  | { readonly kind: "file"; readonly path: string; readonly text: string }
  | {
      readonly kind: "made";
      readonly config: FairleadConfig;
      readonly findings: readonly string[];
      readonly assumed: readonly string[];
    };

/** A config that came into force since. */
export interface ConfigInForce {
  readonly text: string;
  readonly version: string;
}

/** What a worker is told before it begins. */
export interface WorkerOrders {
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly port: number;
  readonly given: GivenConfig;
  readonly inForce: ConfigInForce | null;
  /** It tells the operator what there is to tell of the start. */
  readonly tells: boolean;
}
