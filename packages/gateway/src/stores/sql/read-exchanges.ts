import type { AttemptRecord } from "../../core/exchange-record.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import { attemptColumns, decodeAttempt } from "./attempt-columns.ts";
import { decodeExchange, exchangeColumns } from "./exchange-columns.ts";
import type { SqlRow, SqlSession, SqlValue } from "./sql-database.ts";

const selection = exchangeColumns.map((column) => `e.${column}`).join(", ");
/** Pairs of one lookup; each is two parameters. */
const pairsAtOnce = 250;

function keyOf(at: SqlValue | undefined, id: SqlValue | undefined): string {
  return `${at} ${id}`;
}

async function attemptsOf(session: SqlSession, exchanges: readonly SqlRow[]): Promise<Map<string, AttemptRecord[]>> {
  const found = new Map<string, AttemptRecord[]>();
  const tried = exchanges.filter((row) => row["tries"] !== 0);
  for (let start = 0; start < tried.length; start += pairsAtOnce) {
    const pairs = tried.slice(start, start + pairsAtOnce);
    const times = pairs.map((row) => Number(row["at"]));
    const tuple = (_: SqlRow, i: number): string => `(CAST($${2 * i + 1} AS BIGINT), CAST($${2 * i + 2} AS TEXT))`;
    const rows = await session.query(
      `WITH wanted (wanted_at, wanted_id) AS (VALUES ${pairs.map(tuple).join(",")})
       SELECT ${attemptColumns.map((column) => `a.${column}`).join(", ")}
       FROM wanted CROSS JOIN attempts a
       WHERE a.at >= $${2 * pairs.length + 1} AND a.at <= $${2 * pairs.length + 2} AND a.at = wanted_at AND a.exchange_id = wanted_id ORDER BY a.at, a.exchange_id, a.number`,
      // The range lets a planner leave out the partitions of other days.
      [...pairs.flatMap((row) => [row["at"] ?? null, row["id"] ?? null]), Math.min(...times), Math.max(...times)],
    );
    for (const row of rows) {
      const key = keyOf(row["at"], row["exchange_id"]);
      const known = found.get(key);
      if (known === undefined) found.set(key, [decodeAttempt(row)]);
      else known.push(decodeAttempt(row));
    }
  }
  return found;
}

/** Reads exchanges (`e`) with their attempts; `condition` is what follows WHERE. */
export async function readExchanges(
  session: SqlSession,
  condition: string,
  params: readonly SqlValue[],
): Promise<LedgerRow[]> {
  const rows = await session.query(`SELECT ${selection} FROM exchanges e WHERE ${condition}`, params);
  const attempts = await attemptsOf(session, rows);
  return rows.map((row) => decodeExchange(row, attempts.get(keyOf(row["at"], row["id"])) ?? []));
}
