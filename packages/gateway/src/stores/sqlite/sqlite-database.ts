import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { SqlDatabase, SqlRow, SqlSession, SqlValue } from "../sql/sql-database.ts";
import { SqliteThread } from "./sqlite-thread.ts";

/**
 * A SQLite file (write-ahead log, every commit on disk before it is acknowledged). One thread writes; a second one,
 * started when first needed, reads. Transactions and single statements run one after the other.
 */
export class SqliteDatabase implements SqlDatabase {
  readonly dialect = "sqlite";
  readonly #path: string;
  readonly #writer: SqliteThread;
  #reader: Promise<SqliteThread> | undefined;
  /** The end of what was asked so far: a statement from outside must not land inside a transaction. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(path: string, writer: SqliteThread) {
    this.#path = path;
    this.#writer = writer;
  }

  /** Creates the file and its folder, readable by their owner only, where they are missing. */
  static async open(path: string): Promise<SqliteDatabase> {
    return new SqliteDatabase(path, await SqliteThread.open(path, false));
  }

  query(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#alone(() => this.#writer.query(sql, params));
  }

  async read(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    this.#reader ??= SqliteThread.open(this.#path, true).catch((error: unknown) => {
      this.#reader = undefined;
      throw error;
    });
    return (await this.#reader).query(sql, params);
  }

  transaction<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    const session: SqlSession = { query: (sql, params = []) => this.#writer.query(sql, params) };
    return this.#alone(async () => {
      await session.query("BEGIN IMMEDIATE");
      try {
        const result = await work(session);
        await session.query("COMMIT");
        return result;
      } catch (error) {
        // SQLite may have rolled back already, for example when the disk is full.
        await session.query("ROLLBACK").catch(() => {});
        throw error;
      }
    });
  }

  appendLedger = (rows: readonly LedgerRow[]): Promise<void> => this.#alone(() => this.#writer.append(rows));

  async close(): Promise<void> {
    await this.#tail;
    const reader = await this.#reader?.catch(() => undefined);
    await Promise.all([this.#writer.close(), reader?.close()]);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}
