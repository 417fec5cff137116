import type { SqlRow, SqlSession, SqlValue } from "./sql-database.ts";

/** Few lengths make few statement texts, which a database can keep prepared. */
const largestChunk = 64;

function statement(table: string, columns: readonly string[], rows: number, suffix: string): string {
  let next = 1;
  const tuple = (): string => `(${columns.map(() => `$${next++}`).join(",")})`;
  const values = Array.from({ length: rows }, tuple).join(",");
  return `INSERT INTO ${table} (${columns.join(",")}) VALUES ${values} ${suffix}`;
}

/** Much quicker than `flat`. */
function flatten(rows: readonly (readonly SqlValue[])[], start: number, size: number): SqlValue[] {
  const values: SqlValue[] = [];
  for (let i = start; i < start + size; i++) for (const value of rows[i] ?? []) values.push(value);
  return values;
}

const texts = new Map<string, string>();

/** Inserts rows of many values with few statements; `suffix` is what stands behind the values. Returns what that returns. */
export async function insertRows(
  session: SqlSession,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
  suffix = "",
): Promise<SqlRow[]> {
  const returned: SqlRow[] = [];
  for (let start = 0; start < rows.length; ) {
    const left = rows.length - start;
    const size = left >= largestChunk ? largestChunk : 2 ** Math.floor(Math.log2(left));
    const key = `${table} ${size} ${suffix}`;
    const sql = texts.get(key) ?? statement(table, columns, size, suffix);
    texts.set(key, sql);
    returned.push(...(await session.query(sql, flatten(rows, start, size))));
    start += size;
  }
  return returned;
}
