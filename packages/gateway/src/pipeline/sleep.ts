import type { Clock } from "../lib/clock.ts";
import type { Hangup } from "../lib/hangup.ts";

/** Waits; rejects with the reason as soon as the client hangs up. */
export function sleep<Reason>(ms: number, clock: Clock, client: Hangup<Reason>): Promise<void> {
  return new Promise((resolve, reject) => {
    let unlisten = (): void => {};
    const cancel = clock.after(ms, () => {
      unlisten();
      resolve();
    });
    unlisten = client.listen((reason) => {
      cancel();
      reject(reason);
    });
  });
}
