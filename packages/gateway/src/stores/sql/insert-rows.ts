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

function textOf(table: string, columns: readonly string[], size: number, suffix: string): string {
  const key = `${table} ${size} ${suffix}`;
  const sql = texts.get(key) ?? statement(table, columns, size, suffix);
  texts.set(key, sql);
  return sql;
}

/**
 * Inserts rows of many values with few statements, or each by its own where the session says that this is cheaper;
 * `suffix` is what stands behind the values. Returns what many-row statements return.
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
  if (session.insertEach !== undefined) {
    session.insertEach(textOf(table, columns, 1, suffix), encoded(items, encode));
    return [];
  }
  const returned: SqlRow[] = [];
  for (let start = 0; start < items.length; ) {
    const left = items.length - start;
    const size = left >= largestChunk ? largestChunk : 2 ** Math.floor(Math.log2(left));
    const values: SqlValue[] = [];
    for (const item of items.slice(start, start + size)) for (const value of encode(item)) values.push(value);
    returned.push(...(await session.query(textOf(table, columns, size, suffix), values)));
    start += size;
  }
  return returned;
}

/** Inserts what is not there already, by the columns of `conflict`; returns the items that were new. */
export async function insertNew<T>(
  session: SqlSession,
  table: string,
  columns: readonly string[],
  items: readonly T[],
  encode: (item: T) => readonly SqlValue[],
  { conflict, id, idOf }: { readonly conflict: string; readonly id: string; readonly idOf: (item: T) => string },
): Promise<T[]> {
  const suffix = `ON CONFLICT (${conflict}) DO NOTHING`;
  if (session.insertEach !== undefined) {
    const inserted = session.insertEach(textOf(table, columns, 1, suffix), encoded(items, encode));
    return items.filter((_, i) => inserted[i]);
  }
  const returned = await insertRows(session, table, columns, items, encode, `${suffix} RETURNING ${id}`);
  if (returned.length === items.length) return [...items];
  const inserted = new Set(returned.map((row) => row[id]));
  return items.filter((item) => inserted.has(idOf(item)));
}

function* encoded<T>(items: readonly T[], encode: (item: T) => readonly SqlValue[]): Iterable<readonly SqlValue[]> {
  for (const item of items) yield encode(item);
}
