import type { SqlValue } from "./sql-database.ts";

/** Collects a statement's values; `add` returns the placeholder to write where the value belongs. */
export class SqlParams {
  readonly values: SqlValue[] = [];

  add(value: SqlValue): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}
