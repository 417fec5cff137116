import { appendFileSync, statSync } from "node:fs";
import { GatewayError } from "../../core/errors.ts";
import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import { LedgerRefusal } from "../../ledger/ledger-refusal.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Randomness } from "../../lib/ids.ts";

export interface RowStorerOptions {
  /** Gives the database, or rejects while it cannot be reached. */
  readonly database: () => Promise<LedgerDatabase>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** File for rows that the database will never take. */
  readonly rejectedPath: string;
  readonly alert: (error: GatewayError) => void;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;
const maxRejectedBytes = 64 * 1024 * 1024;

/** Brings rows into a database that may be away: tries for ever, and puts aside what it will never take. */
export class RowStorer {
  readonly #options: RowStorerOptions;
  #failures = 0;
  #stopped = false;
  readonly #wakes = new Set<() => void>();
  /** Rows put aside since the start. */
  rejected = 0;

  constructor(options: RowStorerOptions) {
    this.#options = options;
  }

  /** Whether the last try succeeded; true before the first. */
  get databaseUp(): boolean {
    return this.#failures === 0;
  }

  /** Resolves true when every row is stored or put aside, false when it was stopped before. */
  async store(rows: readonly LedgerRow[]): Promise<boolean> {
    while (!this.#stopped) {
      try {
        const database = await this.#options.database();
        await this.#append(database, rows);
        this.#failures = 0;
        return true;
      } catch (error) {
        this.#failed(error);
        await this.#pause();
      }
    }
    return false;
  }

  /** Ends every wait; a statement under way is not waited for. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wakes) wake();
  }

  async #append(database: LedgerDatabase, rows: readonly LedgerRow[]): Promise<void> {
    try {
      await database.append(rows);
    } catch (error) {
      if (!(error instanceof LedgerRefusal)) throw error;
      const [only] = rows;
      if (rows.length === 1 && only !== undefined) {
        this.#putAside(only, error);
        return;
      }
      // Halves, until the row that spoils its batch is alone.
      const middle = Math.ceil(rows.length / 2);
      await this.#append(database, rows.slice(0, middle));
      await this.#append(database, rows.slice(middle));
    }
  }

  #putAside(row: LedgerRow, reason: LedgerRefusal): void {
    this.rejected++;
    const { rejectedPath, alert } = this.#options;
    let kept = "It is kept in the journal's rejected.jsonl.";
    try {
      const size = statSync(rejectedPath, { throwIfNoEntry: false })?.size ?? 0;
      if (size > maxRejectedBytes) throw new Error("rejected.jsonl is full");
      appendFileSync(
        rejectedPath,
        `${JSON.stringify({ reason: reason.message, orphaned: row.orphaned, record: row.record })}\n`,
        { mode: 0o600 },
      );
    } catch (fault) {
      kept = `It could not be kept: ${fault instanceof Error ? fault.message : "unknown fault"}.`;
    }
    const message = `The database refused the ledger row of ${row.record.id}. ${kept}`;
    alert(new GatewayError("ledger_unavailable", message, { cause: reason }));
  }

  #failed(error: unknown): void {
    this.#failures++;
    if (this.#failures !== 1) return;
    const message = "The ledger's database does not take rows; they wait in the journal.";
    this.#options.alert(new GatewayError("store_unavailable", message, { cause: error }));
  }

  async #pause(): Promise<void> {
    if (this.#stopped) return;
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 10));
    const ms = longest * (0.5 + this.#options.randomness.fraction() / 2);
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        this.#wakes.delete(wake);
        resolve();
      };
      const cancel = this.#options.clock.after(ms, wake);
      this.#wakes.add(wake);
    });
  }
}
