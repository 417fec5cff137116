import type { EngineName } from "@fairlead/contract/names";
import type { WakeConfig } from "@fairlead/contract/resilience-schema";
import type { Deployment } from "../../core/deployment.ts";
import type { Wake, WakeTraits } from "../../core/wake.ts";
import type { Transport } from "../transport.ts";

/** What one call of a hook goes by. */
export interface HookCall {
  readonly target: Deployment;
  readonly transport: Transport;
  readonly signal: AbortSignal;
}

export type WakeType = Wake["type"];
export type WakeOf<T extends WakeType> = Extract<Wake, { readonly type: T }>;

/** One kind of wake-up. Calls may be repeated: what is awake already is left as it is. */
export interface WakeHook<T extends WakeType = WakeType> {
  /** The only engine that understands it; undefined for any. */
  readonly engine: EngineName | undefined;
  /** Longest wait for the call's own answer; undefined where it comes only when the model is there. */
  readonly answersWithinMs: number | undefined;
  traits(config: Extract<WakeConfig, { readonly type: T }>): WakeTraits;
  /** @throws GatewayError that names what went wrong, without a secret */
  wake(wake: WakeOf<T>, call: HookCall): Promise<void>;
  /** Calls it off. @throws GatewayError as `wake` does */
  sleep?(wake: WakeOf<T>, call: HookCall): Promise<void>;
}
