import type { Clock } from "../lib/clock.ts";
import type { Hangup } from "../lib/hangup.ts";

/** Waits; rejects with the reason as soon as one of them hangs up. */
export function sleep<Reason>(ms: number, clock: Clock, ...others: readonly Hangup<Reason>[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const unlisten: (() => void)[] = [];
    const cancel = clock.after(ms, () => {
      for (const stop of unlisten) stop();
      resolve();
    });
    for (const other of others) {
      unlisten.push(
        other.listen((reason) => {
          cancel();
          for (const stop of unlisten) stop();
          reject(reason);
        }),
      );
    }
  });
}
