import { GatewayError } from "../../core/errors.ts";
import type { Actor, Directory, DirectoryChanges, Listed, PageOf } from "../../keys/directory.ts";
import { type ChangeSource, recordChanges } from "../../keys/directory-changes.ts";
import type { DirectoryEntities, DirectoryKind } from "../../keys/directory-entities.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { SqlDirectoryRows } from "./sql-directory-rows.ts";
import { SqlError } from "./sql-error.ts";

/** What the database itself failed with, told without its text: that may hold names and values. */
function unavailable(thrown: unknown): unknown {
  if (!(thrown instanceof SqlError)) return thrown;
  if (thrown.failure !== "unavailable") {
    return new GatewayError("internal_error", "The database refused a statement.", { cause: thrown });
  }
  const message = "The database does not answer. Nothing was changed; try again.";
  return new GatewayError("store_unavailable", message, { cause: thrown, retryAfterMs: 5_000 });
}

/** Keeps the directory in SQLite or PostgreSQL. Changes take the lock of one row first, so they run one after another. */
export class SqlDirectory implements Directory {
  readonly #database: SqlDatabase;
  readonly #source: ChangeSource;
  readonly #rows: SqlDirectoryRows;

  constructor(database: SqlDatabase, source: ChangeSource) {
    this.#database = database;
    this.#source = source;
    this.#rows = new SqlDirectoryRows(database);
  }

  async get<K extends DirectoryKind>(kind: K, id: string): Promise<DirectoryEntities[K] | undefined> {
    return this.#rows.get(kind, id).catch((thrown) => Promise.reject(unavailable(thrown)));
  }

  async find<K extends DirectoryKind>(kind: K, index: string, value: string) {
    return this.#rows.find(kind, index, value).catch((thrown) => Promise.reject(unavailable(thrown)));
  }

  async list<K extends DirectoryKind>(kind: K, page: PageOf<K>): Promise<Listed<DirectoryEntities[K]>> {
    return this.#rows.list(kind, page).catch((thrown) => Promise.reject(unavailable(thrown)));
  }

  async change<T>(actor: Actor, work: (changes: DirectoryChanges) => Promise<T>): Promise<T> {
    try {
      return await this.#database.transaction(async (session) => {
        await session.query("UPDATE directory_version SET version = version WHERE id = 1");
        const recorded = recordChanges(new SqlDirectoryRows(session), actor, this.#source);
        const result = await work(recorded.changes);
        if (recorded.touchedMirrored()) {
          await session.query("UPDATE directory_version SET version = version + 1 WHERE id = 1");
        }
        return result;
      });
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  async version(): Promise<number> {
    try {
      const [row] = await this.#database.query("SELECT version FROM directory_version WHERE id = 1");
      return Number(row?.["version"] ?? 0);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  pruneSessions(createdBeforeMs: number): Promise<void> {
    return this.#prune("admin_sessions", createdBeforeMs);
  }

  pruneAudit(createdBeforeMs: number): Promise<void> {
    return this.#prune("audit_log", createdBeforeMs);
  }

  async #prune(table: "admin_sessions" | "audit_log", createdBeforeMs: number): Promise<void> {
    try {
      await this.#database.query(`DELETE FROM ${table} WHERE created_at < $1`, [createdBeforeMs]);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }
}
