import type { SqlRow, SqlSession, SqlValue } from "./sql-database.ts";

/** Few lengths make few statement texts, which a database can keep prepared. */
const largestChunk = 64;

function statement(table: string, columns: readonly string[], rows: number, suffix: string): string {
  let next = 1;
  const tuple = (): string => `(${columns.map(() => `$${next++}`).join(",")})`;
  const values = Array.from({ length: rows }, tuple).join(",");
  return `INSERT INTO ${table} (${columns.join(",")}) VALUES ${values} ${suffix}`;
}

const texts = new Map<string, string>();

/**
 * Inserts rows of many values with few statements; `suffix` is what stands behind the values. Returns what that returns.
 * Rows are encoded a statement at a time, so that a large batch never holds up requests.
 */
export async function insertRows<T>(
  session: SqlSession,
  table: string,
  columns: readonly string[],
  items: readonly T[],
  encode: (item: T) => readonly SqlValue[],
  suffix = "",
): Promise<SqlRow[]> {
  const textOf = (size: number): string => {
    const key = `${table} ${size} ${suffix}`;
    const sql = texts.get(key) ?? statement(table, columns, size, suffix);
    texts.set(key, sql);
    return sql;
  };
  if (session.queryEach !== undefined) return session.queryEach(textOf(1), encoded(items, encode));
  const returned: SqlRow[] = [];
  for (let start = 0; start < items.length; ) {
    const left = items.length - start;
    const size = left >= largestChunk ? largestChunk : 2 ** Math.floor(Math.log2(left));
    const values: SqlValue[] = [];
    for (const item of items.slice(start, start + size)) for (const value of encode(item)) values.push(value);
    returned.push(...(await session.query(textOf(size), values)));
    start += size;
  }
  return returned;
}

function* encoded<T>(items: readonly T[], encode: (item: T) => readonly SqlValue[]): Iterable<readonly SqlValue[]> {
  for (const item of items) yield encode(item);
}
