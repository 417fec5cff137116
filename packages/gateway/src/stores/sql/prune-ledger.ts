import type { Partitions } from "./partitions.ts";
import type { SqlDatabase, SqlSession } from "./sql-database.ts";
import { dayMs, hourMs } from "./usage-sums.ts";

async function deleteSums(session: SqlSession, dayStart: number): Promise<void> {
  await session.query("DELETE FROM usage_sums WHERE span IN ($1, $2) AND start_at >= $3 AND start_at < $4", [
    hourMs,
    dayMs,
    dayStart,
    dayStart + dayMs,
  ]);
}

/** An hour of rows per transaction keeps each short; the sums of a day go with its first hour. */
async function pruneSqlite(database: SqlDatabase, beforeMs: number): Promise<number> {
  let days = 0;
  for (;;) {
    const [oldest] = await database.query("SELECT MIN(at) AS at FROM exchanges");
    const at = oldest?.["at"] == null ? undefined : Number(oldest["at"]);
    if (at === undefined || at >= beforeMs) return days;
    days++;
    const day = at - (at % dayMs);
    for (let hour = day; hour < day + dayMs; hour += hourMs) {
      await database.transaction(async (session) => {
        if (hour === day) await deleteSums(session, day);
        for (const table of ["exchanges", "attempts", "exchange_tags"]) {
          await session.query(`DELETE FROM ${table} WHERE at >= $1 AND at < $2`, [hour, hour + hourMs]);
        }
      });
    }
  }
}

/** Combinations that nothing counts for any more. The lock keeps out who is about to count for one. */
async function deleteUnusedSeries(database: SqlDatabase): Promise<void> {
  await database.transaction(
    async (session) => {
      if (database.dialect === "postgres") await session.query("LOCK TABLE usage_series IN EXCLUSIVE MODE");
      await session.query("DELETE FROM usage_series WHERE id NOT IN (SELECT series FROM usage_sums)");
      await session.query("DELETE FROM usage_series_tags WHERE series NOT IN (SELECT id FROM usage_series)");
    },
    { statementMs: 60_000 },
  );
}

/** @see LedgerDatabase.prune */
export async function pruneLedger(database: SqlDatabase, partitions: Partitions, beforeMs: number): Promise<number> {
  const before = beforeMs - (beforeMs % dayMs);
  const days =
    database.dialect === "postgres"
      ? await partitions.drop(database, before, deleteSums)
      : await pruneSqlite(database, before);
  if (days > 0) await deleteUnusedSeries(database);
  return days;
}
