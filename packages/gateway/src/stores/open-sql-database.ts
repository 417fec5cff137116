import { PostgresDatabase } from "./postgres/postgres-database.ts";
import type { SqlDatabase } from "./sql/sql-database.ts";
import { SqlError } from "./sql/sql-error.ts";
import { SqliteDatabase } from "./sqlite/sqlite-database.ts";

/** Opens `sqlite:<file>` or `postgres://…`; PostgreSQL is not asked yet. @throws SqlError, without the URL */
export async function openSqlDatabase(url: string): Promise<SqlDatabase> {
  if (/^postgres(ql)?:\/\//.test(url)) return PostgresDatabase.open(url);
  if (url.startsWith("sqlite:")) return SqliteDatabase.open(url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, ""));
  throw new SqlError("failed", "The storage URL must begin with sqlite: or postgres://.");
}
