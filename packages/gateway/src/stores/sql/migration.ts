import type { SqlDialect } from "./sql-database.ts";

/** One step forward of the database's shape. There are no steps back. */
export interface Migration {
  /** 1, 2, 3 … in the order of the list. */
  readonly version: number;
  readonly name: string;
  /** Run in one transaction, in order. */
  statements(dialect: SqlDialect): readonly string[];
}
