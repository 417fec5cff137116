import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Stores } from "./open-stores.ts";

const everyMs = 3_600_000;
const firstMs = 60_000;
const dayMs = 86_400_000;
/** Partitions are made this far ahead. */
const aheadMs = 3 * dayMs;

/** Deletes what is older than the config keeps and prepares for the days ahead, once an hour. Returns what ends it. */
export function startUpkeep(
  { reports }: Stores,
  retentionDays: number,
  clock: Clock,
  alert: (error: GatewayError) => void,
): () => void {
  if (reports === undefined) return () => {};
  let cancel = (): void => {};
  let stopped = false;
  const work = async (): Promise<void> => {
    try {
      const nowMs = clock.now();
      await reports.prepareUntil(nowMs + aheadMs);
      if (retentionDays > 0) await reports.prune(nowMs - retentionDays * dayMs);
    } catch (cause) {
      alert(
        new GatewayError("store_unavailable", "The ledger's upkeep failed; it is tried again in an hour.", { cause }),
      );
    }
    if (!stopped) cancel = clock.after(everyMs, () => void work());
  };
  cancel = clock.after(firstMs, () => void work());
  return () => {
    stopped = true;
    cancel();
  };
}
