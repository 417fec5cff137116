import type { Deployment } from "../../core/deployment.ts";
import { GatewayError } from "../../core/errors.ts";
import type { Wake } from "../../core/wake.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Transport } from "../transport.ts";
import { wakeHooks } from "./registry.ts";
import type { WakeHook } from "./wake-hook.ts";

export interface CallWakeHookDeps {
  readonly transport: Transport;
  readonly clock: Clock;
}

/**
 * Has a deployment's hook called, or called off; resolves when that was taken. A wake-up that is answered only when the model is
 * there is left to the signal.
 * @throws GatewayError that names what went wrong, without a secret
 */
export async function callWakeHook(
  action: "wake" | "sleep",
  target: Deployment,
  wake: Wake,
  signal: AbortSignal,
  { transport, clock }: CallWakeHookDeps,
): Promise<void> {
  const hook = wakeHooks[wake.type] as WakeHook;
  const abort = new AbortController();
  const ended = (): void => abort.abort(signal.reason);
  if (signal.aborted) ended();
  else signal.addEventListener("abort", ended, { once: true });
  const withinMs = hook.answersWithinMs ?? (action === "sleep" ? wake.timeoutMs : undefined);
  const late = (): void => abort.abort(new GatewayError("connect_timeout", "The wake hook did not answer in time."));
  const cancel = withinMs === undefined ? undefined : clock.after(Math.min(withinMs, wake.timeoutMs), late);
  try {
    await hook[action]?.(wake, { target, transport, signal: abort.signal });
  } finally {
    cancel?.();
    signal.removeEventListener("abort", ended);
  }
}
