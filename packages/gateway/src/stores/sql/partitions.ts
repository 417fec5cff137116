import type { SqlDatabase, SqlSession } from "./sql-database.ts";
import { dayMs } from "./usage-sums.ts";

export const partitionedTables = ["exchanges", "attempts", "exchange_tags"] as const;

/** Any number, the same in every version: who holds its lock makes or drops partitions. */
const lockKey = 7_203_114_502;

/** `exchanges_20261121`, whose rows are of that UTC day. */
function partitionName(table: string, dayStart: number): string {
  return `${table}_${new Date(dayStart).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

/** The day of a partition's name; undefined for another table's name. */
function dayOf(name: string): number | undefined {
  const [, year, month, day] = /_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
  return year === undefined ? undefined : Date.UTC(Number(year), Number(month) - 1, Number(day));
}

async function daysWithPartition(session: SqlSession): Promise<Set<number>> {
  const rows = await session.query(
    "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'exchanges'::regclass",
  );
  return new Set(rows.flatMap((row) => dayOf(String(row["name"])) ?? []));
}

/** Attaching a finished table, unlike making a partition, does not wait for readers of the whole. */
async function createPartition(session: SqlSession, table: string, dayStart: number): Promise<void> {
  const name = partitionName(table, dayStart);
  const end = dayStart + dayMs;
  await session.query(`CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
  await session.query(`ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM (${dayStart}) TO (${end})`);
}

/** The days PostgreSQL's ledger tables are divided into. One for each database connection; other processes may add days too. */
export class Partitions {
  readonly #known = new Set<number>();

  /** Makes sure that rows of these times have a place. Costs nothing for days it has seen. */
  async ensure(database: SqlDatabase, times: readonly number[]): Promise<void> {
    const days = new Set(times.map((at) => at - (at % dayMs)));
    const missing = [...days].filter((day) => !this.#known.has(day));
    if (missing.length === 0) return;
    await database.transaction(async (session) => {
      await session.query("SELECT pg_advisory_xact_lock($1)", [lockKey]);
      const existing = await daysWithPartition(session);
      for (const day of missing) {
        if (existing.has(day)) continue;
        for (const table of partitionedTables) await createPartition(session, table, day);
      }
    });
    for (const day of missing) this.#known.add(day);
  }

  /** Forgets what it knew, for when another process dropped a day. */
  forget(): void {
    this.#known.clear();
  }

  /** Drops whole days that end before `beforeMs`, one transaction each; `alongside` runs in it. Returns how many. */
  async drop(
    database: SqlDatabase,
    beforeMs: number,
    alongside: (session: SqlSession, dayStart: number) => Promise<void>,
  ): Promise<number> {
    const days = [...(await daysWithPartition(database))]
      .filter((day) => day + dayMs <= beforeMs)
      .sort((a, b) => a - b);
    for (const day of days) {
      await database.transaction(async (session) => {
        await session.query("SELECT pg_advisory_xact_lock($1)", [lockKey]);
        for (const table of partitionedTables) {
          await session.query(`DROP TABLE IF EXISTS ${partitionName(table, day)}`);
        }
        await alongside(session, day);
      });
      this.#known.delete(day);
    }
    return days.length;
  }
}
