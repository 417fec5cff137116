import type { ExchangeFilters, ExchangePageQuery, ExportQuery } from "../../ledger/ledger-query.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import { readExchanges } from "./read-exchanges.ts";
import type { SqlDatabase, SqlSession } from "./sql-database.ts";
import { SqlParams } from "./sql-params.ts";

const maxPage = 1_000;
const exportPage = 500;

const columns = {
  model: "model",
  target: "target",
  placement: "placement",
  provider: "provider",
  upstream: "upstream",
  key: "key_id",
  team: "team",
  user: "user_name",
  outcome: "outcome",
} as const;

function conditions(fromMs: number, toMs: number, filters: ExchangeFilters, params: SqlParams): string[] {
  const found = [`e.at >= ${params.add(fromMs)}`, `e.at < ${params.add(toMs)}`];
  for (const [name, column] of Object.entries(columns)) {
    const value = filters[name as keyof typeof columns];
    if (value !== undefined) found.push(`e.${column} = ${params.add(value)}`);
  }
  // The statement's own words let the index of failed exchanges be used.
  if (filters.outcome !== undefined && filters.outcome !== "ok") found.push("e.outcome <> 'ok'");
  if (filters.tag !== undefined) {
    const tag = params.add(filters.tag);
    found.push(`EXISTS (SELECT 1 FROM exchange_tags t WHERE t.at = e.at AND t.tag = ${tag} AND t.exchange_id = e.id)`);
  }
  return found;
}

function reader(database: SqlDatabase): SqlSession {
  return { query: (sql, params) => database.read(sql, params) };
}

function cursorOf(row: LedgerRow | undefined): string | undefined {
  return row && `${row.record.at}-${row.record.id}`;
}

function afterCursor(cursor: string, params: SqlParams): string[] {
  const [, at, id = ""] = /^(\d{1,16})-(.*)$/.exec(cursor) ?? [];
  if (at === undefined) return ["1 = 0"];
  const [time, name] = [params.add(Number(at)), params.add(id)];
  // The first condition repeats the second for planners that do not see through pairs.
  return [`e.at <= ${time}`, `(e.at, e.id) < (${time}, ${name})`];
}

/** A page of exchanges, newest first. */
export async function listExchanges(
  database: SqlDatabase,
  query: ExchangePageQuery,
): Promise<{ rows: readonly LedgerRow[]; next: string | undefined }> {
  const limit = Math.max(1, Math.min(Math.floor(query.limit), maxPage));
  const params = new SqlParams();
  const wanted = conditions(query.fromMs, query.toMs, query.filters ?? {}, params);
  if (query.cursor !== undefined) wanted.push(...afterCursor(query.cursor, params));
  const condition = `${wanted.join(" AND ")} ORDER BY e.at DESC, e.id DESC LIMIT ${limit + 1}`;
  const rows = await readExchanges(reader(database), condition, params.values);
  const page = rows.slice(0, limit);
  return { rows: page, next: rows.length > limit ? cursorOf(page.at(-1)) : undefined };
}

export async function findExchange(database: SqlDatabase, id: string): Promise<LedgerRow | undefined> {
  const [row] = await readExchanges(reader(database), "e.id = $1", [id]);
  return row;
}

/** Every exchange of a range, oldest first, holding one page in memory. */
export async function* exportExchanges(database: SqlDatabase, query: ExportQuery): AsyncGenerator<LedgerRow> {
  let last: LedgerRow | undefined;
  for (;;) {
    const params = new SqlParams();
    const wanted = conditions(last?.record.at ?? query.fromMs, query.toMs, query.filters ?? {}, params);
    if (last !== undefined)
      wanted.push(`(e.at, e.id) > (${params.add(last.record.at)}, ${params.add(last.record.id)})`);
    const condition = `${wanted.join(" AND ")} ORDER BY e.at, e.id LIMIT ${exportPage}`;
    const page = await readExchanges(reader(database), condition, params.values);
    yield* page;
    last = page.at(-1);
    if (page.length < exportPage) return;
  }
}
