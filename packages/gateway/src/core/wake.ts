import type { KeepWarmConfig, WakeConfig } from "@fairlead/contract/resilience-schema";
import type { Secret } from "../lib/secret.ts";

/** What the kind of hook makes of it. */
export interface WakeTraits {
  /** Whether one call wakes all that the upstream serves, or one model. */
  readonly covers: "server" | "model";
  /** Whether it also brings back a server that is not there at all. */
  readonly startsServer: boolean;
  /** Called off after so long without a request; undefined for never. */
  readonly sleepAfterMs?: number | undefined;
  /** Whether calling off puts the model to sleep; else it only lets go, and somebody else decides. */
  readonly sleeps: boolean;
}

type Resolved<W> = W extends { readonly kind: unknown }
  ? Omit<W, "apiServer" | "tokenFile"> & { readonly apiServer: string; readonly tokenFile: string }
  : W extends { readonly url: string }
    ? Omit<W, "key"> & { readonly key: Secret | undefined }
    : W;

/** How a deployment that is cold is woken (requirement C7): the config's hook, resolved. Immutable. */
export type Wake = Resolved<WakeConfig> & WakeTraits;

/** A weekly time in which a model is kept awake. */
export type WarmWindow = KeepWarmConfig;
