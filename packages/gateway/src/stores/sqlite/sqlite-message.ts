import type { SqlRow, SqlValue } from "../sql/sql-database.ts";

/** What the main thread asks of the thread that owns a SQLite connection. Answered in order, one at a time. */
export type SqliteRequest =
  | { readonly id: number; readonly op: "open"; readonly path: string; readonly readOnly: boolean }
  | { readonly id: number; readonly op: "query"; readonly sql: string; readonly params: readonly SqlValue[] }
  | { readonly id: number; readonly op: "close" };

export type SqliteAnswer =
  | { readonly id: number; readonly rows: readonly SqlRow[] }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };
