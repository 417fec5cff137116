import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { SqlRow, SqlValue } from "../sql/sql-database.ts";

/**
 * What the main thread asks of the thread that owns a SQLite connection. Answered in order, one at a time. Values travel
 * as JSON where that can say them: text between threads costs half of what arrays do.
 */
export type SqliteRequest =
  | { readonly id: number; readonly op: "open"; readonly path: string; readonly readOnly: boolean }
  | { readonly id: number; readonly op: "query"; readonly sql: string; readonly params: Packed<readonly SqlValue[]> }
  /** Ledger rows, each a line: `1` for an orphaned one, else `0`, and the record as JSON. */
  | { readonly id: number; readonly op: "append"; readonly rows: string }
  | { readonly id: number; readonly op: "close" };

export type SqliteAnswer =
  | { readonly id: number; readonly rows: Packed<readonly SqlRow[]> }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };

/** JSON text, or the value itself. */
export type Packed<T> = string | T;

const inJson = (value: SqlValue): boolean => typeof value === "string" || Number.isFinite(value) || value === null;

export function packParams(params: readonly SqlValue[]): Packed<readonly SqlValue[]> {
  return params.every(inJson) ? JSON.stringify(params) : params;
}

export function packRows(rows: readonly SqlRow[]): Packed<readonly SqlRow[]> {
  for (const row of rows) for (const name in row) if (!inJson(row[name] ?? null)) return rows;
  return JSON.stringify(rows);
}

export function unpack<T>(packed: Packed<T>): T {
  return typeof packed === "string" ? (JSON.parse(packed) as T) : packed;
}

export function packLedger(rows: readonly LedgerRow[]): string {
  return rows.map((row) => (row.orphaned ? "1" : "0") + (row.json ?? JSON.stringify(row.record))).join("\n");
}

export function unpackLedger(packed: string): LedgerRow[] {
  return packed.split("\n").map((line) => ({
    orphaned: line.startsWith("1"),
    record: JSON.parse(line.slice(1)) as ExchangeRecord,
  }));
}
