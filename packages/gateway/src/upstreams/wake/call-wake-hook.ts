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
 * Has a deployment's hook called, or called off; resolves when that was taken. What is bounded in time is ended then.
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
  const cancel = clock.after(Math.min(hook.answersWithinMs ?? wake.timeoutMs, wake.timeoutMs), () => {
    abort.abort(new GatewayError("connect_timeout", "The wake hook did not answer in time."));
  });
  try {
    await hook[action]?.(wake, { target, transport, signal: abort.signal });
  } finally {
    cancel();
    signal.removeEventListener("abort", ended);
  }
}
