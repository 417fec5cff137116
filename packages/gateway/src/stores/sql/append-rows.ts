import type { LedgerRow } from "../../ledger/ledger-row.ts";
import { attemptColumns, encodeAttempt } from "./attempt-columns.ts";
import { encodeExchange, exchangeColumns } from "./exchange-columns.ts";
import { insertNew, insertRows } from "./insert-rows.ts";
import { readExchanges } from "./read-exchanges.ts";
import type { SqlDialect, SqlSession } from "./sql-database.ts";
import { storedTags } from "./stored-tags.ts";
import { SumChanges } from "./usage-sums.ts";

/** Each exchange once; a settled row wins over an orphaned one. In order of time, as the database keeps them. */
function distinct(rows: readonly LedgerRow[]): LedgerRow[] {
  const byId = new Map<string, LedgerRow>();
  for (const row of rows) {
    const known = byId.get(row.record.id);
    if (known === undefined || (known.orphaned && !row.orphaned)) byId.set(row.record.id, row);
  }
  return [...byId.values()].sort((a, b) => a.record.at - b.record.at || (a.record.id < b.record.id ? -1 : 1));
}

async function insert(session: SqlSession, rows: readonly LedgerRow[], sums: SumChanges): Promise<LedgerRow[]> {
  const fresh = await insertNew(session, "exchanges", exchangeColumns, rows, encodeExchange, {
    conflict: "at, id",
    id: "id",
    idOf: ({ record }) => record.id,
  });
  const attempts = fresh.flatMap(({ record }) =>
    record.attempts.map((attempt, number) => ({ record, attempt, number })),
  );
  await insertRows(session, "attempts", attemptColumns, attempts, encodeAttempt, "ON CONFLICT DO NOTHING");
  const tags = fresh.flatMap(({ record }) => storedTags(record.tags).map((tag) => [record.at, tag, record.id]));
  const tagColumns = ["at", "tag", "exchange_id"];
  await insertRows(session, "exchange_tags", tagColumns, tags, (row) => row, "ON CONFLICT DO NOTHING");
  for (const { record } of fresh) sums.add(record, 1);
  return fresh;
}

/** Takes orphaned rows away whose exchange did settle; returns those it settled for. */
async function removeOrphans(
  session: SqlSession,
  dialect: SqlDialect,
  settled: readonly LedgerRow[],
  sums: SumChanges,
): Promise<LedgerRow[]> {
  const replaced: LedgerRow[] = [];
  for (const row of settled) {
    const { at, id } = row.record;
    const lock = dialect === "postgres" ? "FOR UPDATE" : "";
    const [orphan] = await readExchanges(session, `e.at = $1 AND e.id = $2 AND e.orphaned = 1 ${lock}`, [at, id]);
    if (orphan === undefined) continue;
    await session.query("DELETE FROM exchanges WHERE at = $1 AND id = $2", [at, id]);
    await session.query("DELETE FROM attempts WHERE at = $1 AND exchange_id = $2", [at, id]);
    await session.query("DELETE FROM exchange_tags WHERE at = $1 AND exchange_id = $2", [at, id]);
    sums.add(orphan.record, -1);
    replaced.push(row);
  }
  return replaced;
}

/** Stores rows, their attempts and tags, and adds them to the sums; inside the caller's transaction. */
export async function appendRows(session: SqlSession, dialect: SqlDialect, rows: readonly LedgerRow[]): Promise<void> {
  const sums = new SumChanges();
  const wanted = distinct(rows);
  const inserted = await insert(session, wanted, sums);
  if (inserted.length < wanted.length) {
    const fresh = new Set(inserted);
    const known = wanted.filter((row) => !row.orphaned && !fresh.has(row));
    await insert(session, await removeOrphans(session, dialect, known, sums), sums);
  }
  await sums.write(session);
}
