import { GatewayError } from "../../core/errors.ts";
import type { Directory } from "../../keys/directory.ts";
import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import type { Clock } from "../../lib/clock.ts";
import { dayMs, hourMs } from "./usage-sums.ts";

export interface LedgerUpkeepOptions {
  /** While it cannot be reached, an hour's work waits for the next. */
  readonly ledger: LedgerDatabase;
  /** Its audit log is kept as long as the ledger. */
  readonly directory: Pick<Directory, "pruneAudit">;
  readonly clock: Clock;
  /** 0 keeps rows for ever. */
  readonly retentionDays: number;
  readonly alert: (error: GatewayError) => void;
}

/** How soon after the start the first round is: not in the way of starting. */
const firstMs = 60_000;
const aheadMs = 3 * dayMs;

/** Prepares the database for coming days and deletes rows that are too old, once an hour, until it is stopped. */
export class LedgerUpkeep {
  readonly #options: LedgerUpkeepOptions;
  #cancel: () => void;
  #stopped = false;

  constructor(options: LedgerUpkeepOptions) {
    this.#options = options;
    this.#cancel = options.clock.after(firstMs, () => void this.#round());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #round(): Promise<void> {
    await this.run().catch((cause: unknown) => {
      this.#options.alert(
        new GatewayError("store_unavailable", "The ledger's upkeep failed; it is tried again.", { cause }),
      );
    });
    if (!this.#stopped) this.#cancel = this.#options.clock.after(hourMs, () => void this.#round());
  }

  /** One round, at once. */
  async run(): Promise<void> {
    const { ledger, directory, clock, retentionDays } = this.#options;
    const nowMs = clock.now();
    await ledger.prepareUntil(nowMs + aheadMs);
    if (retentionDays === 0) return;
    const beforeMs = nowMs - retentionDays * dayMs;
    await ledger.prune(beforeMs);
    await directory.pruneAudit(beforeMs);
  }
}
