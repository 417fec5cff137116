import type { Pool, PoolClient, PoolConfig, QueryResult } from "pg";
import type { SqlDatabase, SqlRow, SqlSession, SqlValue, TransactionOptions } from "../sql/sql-database.ts";
import { SqlError } from "../sql/sql-error.ts";
import { postgresFailure } from "./postgres-failure.ts";
import { postgresValues } from "./postgres-values.ts";

const connectMs = 3_000;
const statementMs = 5_000;
const readMs = 60_000;
/** Statements that may run or wait at once: a stalled server must not collect them without end. */
const maxInFlight = 500;

/** A PostgreSQL database through small pools: one for short work, one for long reads. Nothing waits longer than its limit. */
export class PostgresDatabase implements SqlDatabase {
  readonly dialect = "postgres";
  readonly #pool: Pool;
  readonly #readers: Pool;
  #inFlight = 0;

  private constructor(pool: Pool, readers: Pool) {
    this.#pool = pool;
    this.#readers = readers;
  }

  /** Does not connect: the first statement does. @throws SqlError for an address that cannot be read */
  static async open(url: string): Promise<PostgresDatabase> {
    // Loaded here only, so that nobody else pays for it at the start.
    const { Client, Pool } = await import("pg");
    const pool = (options: PoolConfig): Pool => {
      const made = new Pool({
        connectionString: url,
        connectionTimeoutMillis: connectMs,
        keepAlive: true,
        idleTimeoutMillis: 30_000,
        application_name: "fairlead",
        types: postgresValues as NonNullable<PoolConfig["types"]>,
        ...options,
      });
      // An idle connection that breaks is replaced at the next use; without a listener it would end the process.
      made.on("error", () => {});
      return made;
    };
    try {
      // Reads the address, which a pool does at its first use only. Does not connect.
      new Client({ connectionString: url });
      return new PostgresDatabase(
        pool({ max: 8, query_timeout: statementMs }),
        pool({ max: 3, query_timeout: readMs }),
      );
    } catch {
      throw new SqlError(
        "failed",
        "PostgreSQL: the storage URL cannot be read; expected postgres://user:password@host/database.",
      );
    }
  }

  query(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#bounded(() => rowsOf(() => this.#pool.query<SqlRow>(sql, [...params])));
  }

  read(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#bounded(() => rowsOf(() => this.#readers.query<SqlRow>(sql, [...params])));
  }

  transaction<T>(work: (session: SqlSession) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#bounded(async () => {
      const client = await this.#pool.connect().catch((thrown: unknown) => {
        throw postgresFailure(thrown);
      });
      // A connection that breaks while it is lent reports to its borrower as well as in the statement's rejection.
      const ignore = (): void => {};
      client.on("error", ignore);
      try {
        return await inTransaction(client, options.statementMs ?? statementMs, work);
      } finally {
        client.off("error", ignore);
      }
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#pool.end(), this.#readers.end()]);
  }

  async #bounded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inFlight >= maxInFlight) throw new SqlError("unavailable", "PostgreSQL: too many statements wait.");
    this.#inFlight++;
    try {
      return await work();
    } finally {
      this.#inFlight--;
    }
  }
}

async function rowsOf(ask: () => Promise<QueryResult<SqlRow>>): Promise<readonly SqlRow[]> {
  try {
    return (await ask()).rows;
  } catch (thrown) {
    throw postgresFailure(thrown);
  }
}

async function inTransaction<T>(
  client: PoolClient,
  timeoutMs: number,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const session: SqlSession = {
    query: (sql, params = []) => {
      const statement = { text: sql, values: [...params], query_timeout: timeoutMs };
      return rowsOf(() => client.query<SqlRow>(statement));
    },
  };
  try {
    await session.query("BEGIN");
    const result = await work(session);
    await session.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    // A connection that timed out still waits for its answer: it cannot be used again, not even to roll back.
    const lost = error instanceof SqlError && error.failure === "unavailable";
    const rolledBack =
      !lost &&
      (await session.query("ROLLBACK").then(
        () => true,
        () => false,
      ));
    client.release(!rolledBack);
    throw error;
  }
}
