import { migrate } from "./migrate.ts";
import type { SqlDatabase, SqlRow, SqlSession, SqlValue, TransactionOptions } from "./sql-database.ts";

/** A database that is brought to the newest version before it is first used; what was in vain is tried again at the next use. */
export class MigratedDatabase implements SqlDatabase {
  readonly dialect: SqlDatabase["dialect"];
  readonly appendLedger: SqlDatabase["appendLedger"];
  readonly #database: SqlDatabase;
  #migration: Promise<void> | undefined;
  #isReady = false;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.dialect = database.dialect;
    const { appendLedger } = database;
    this.appendLedger =
      appendLedger &&
      (async (rows) => {
        await this.ready();
        return appendLedger(rows);
      });
  }

  /** @throws SqlError while the database does not answer, or when it cannot be used at all */
  async ready(): Promise<void> {
    if (this.#isReady) return;
    this.#migration ??= migrate(this.#database).finally(() => {
      this.#migration = undefined;
    });
    await this.#migration;
    this.#isReady = true;
  }

  async query(sql: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.ready();
    return this.#database.query(sql, params);
  }

  async read(sql: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.ready();
    return this.#database.read(sql, params);
  }

  async transaction<T>(work: (session: SqlSession) => Promise<T>, options?: TransactionOptions): Promise<T> {
    await this.ready();
    return this.#database.transaction(work, options);
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
