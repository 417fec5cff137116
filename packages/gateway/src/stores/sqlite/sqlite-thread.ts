import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { SqlRow, SqlValue } from "../sql/sql-database.ts";
import { SqlError } from "../sql/sql-error.ts";
import { sqliteFailure } from "./sqlite-failure.ts";
import { packLedger, packParams, type SqliteAnswer, type SqliteRequest, unpack } from "./sqlite-message.ts";

interface Waiting {
  readonly resolve: (rows: readonly SqlRow[]) => void;
  readonly reject: (error: SqlError) => void;
}

type Unnumbered<T> = T extends unknown ? Omit<T, "id"> : never;

/** One SQLite connection in a thread of its own, so that no statement holds up requests. */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #dead: SqlError | undefined;

  private constructor() {
    this.#worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url).href);
    this.#worker.onmessage = (event: MessageEvent<SqliteAnswer>) => this.#answered(event.data);
    this.#worker.onerror = (event) => this.#die(new SqlError("unavailable", `SQLite's thread ended: ${event.message}`));
  }

  /** @throws SqlError that names the file */
  static async open(path: string, readOnly: boolean): Promise<SqliteThread> {
    const thread = new SqliteThread();
    try {
      await thread.#ask({ op: "open", path, readOnly });
      return thread;
    } catch (thrown) {
      thread.#worker.terminate();
      const { failure, message, code } = thrown as SqlError;
      throw new SqlError(failure, `SQLite cannot open ${path}: ${message}`, code);
    }
  }

  query(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return this.#ask({ op: "query", sql, params: packParams(params) });
  }

  /** Stores ledger rows in a transaction. */
  async append(rows: readonly LedgerRow[]): Promise<void> {
    await this.#ask({ op: "append", rows: packLedger(rows) });
  }

  /** Closes the file after what was asked before, then ends the thread. */
  async close(): Promise<void> {
    if (this.#dead === undefined) await this.#ask({ op: "close" }).catch(() => {});
    this.#die(new SqlError("unavailable", "The database is closed."));
    this.#worker.terminate();
  }

  #ask(request: Unnumbered<SqliteRequest>): Promise<readonly SqlRow[]> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #answered(answer: SqliteAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("rows" in answer) waiting?.resolve(unpack(answer.rows));
    else waiting?.reject(sqliteFailure(answer.error.message, answer.error.code));
  }

  #die(error: SqlError): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}
