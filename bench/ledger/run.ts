/**
 * Fills an empty database with rows and prints how long the console's questions take:
 * `npm run bench:ledger -- [rows] [storage URL] [days]`, 10 million rows over 90 days in SQLite unless told otherwise. With
 * 0 rows it only asks, for a database it filled before.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlDatabase } from "../../packages/gateway/src/stores/open-sql-database.ts";
import { migrate } from "../../packages/gateway/src/stores/sql/migrate.ts";
import type { SqlDatabase } from "../../packages/gateway/src/stores/sql/sql-database.ts";
import { SqlLedgerDatabase } from "../../packages/gateway/src/stores/sql/sql-ledger-database.ts";
import { dayMs } from "../../packages/gateway/src/stores/sql/usage-sums.ts";
import { dayStatements, seriesStatements } from "./generate-rows.ts";

const [rowsText = "10000000", givenUrl, daysText = "90"] = process.argv.slice(2);
const rows = Number(rowsText);
const days = Number(daysText);
const runs = 9;
const folder = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
const file = join(folder, "ledger.sqlite");

const indexes = ["exchanges_id", "exchanges_key", "exchanges_failed"];

/** SQLite builds an index over all rows at once far quicker than row by row. */
async function withoutIndexes(database: SqlDatabase, work: () => Promise<void>): Promise<void> {
  if (database.dialect !== "sqlite") return work();
  const names = indexes.map((name) => `'${name}'`).join(", ");
  const texts = await database.query(`SELECT name, sql FROM sqlite_master WHERE name IN (${names})`);
  for (const { name } of texts) await database.query(`DROP INDEX ${name}`);
  await database.query("PRAGMA synchronous = OFF");
  await work();
  for (const { sql } of texts) await database.query(String(sql));
  await database.query("PRAGMA synchronous = FULL");
}

async function fill(database: SqlDatabase, ledger: SqlLedgerDatabase, firstDay: number): Promise<void> {
  const perDay = Math.ceil(rows / days);
  for (const statement of seriesStatements()) await database.query(statement);
  await withoutIndexes(database, async () => {
    for (let day = 0; day < days; day++) {
      const dayStart = firstDay + day * dayMs;
      const count = Math.min(perDay, rows - day * perDay);
      if (count <= 0) break;
      if (database.dialect === "postgres") await ledger.prepareUntil(dayStart);
      await database.transaction(
        async (session) => {
          for (const statement of dayStatements(database.dialect, dayStart, day * perDay, count)) {
            await session.query(statement);
          }
        },
        { statementMs: 600_000 },
      );
    }
  });
}

async function time(name: string, ask: () => Promise<unknown>): Promise<void> {
  const first = performance.now();
  await ask();
  const coldMs = performance.now() - first;
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    await ask();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const p50 = times[Math.floor(runs / 2)] ?? 0;
  const verdict = p50 < 200 ? "" : "   over the aim of 200 ms";
  console.log(
    `${name.padEnd(52)} p50 ${p50.toFixed(1).padStart(8)} ms   first ${coldMs.toFixed(1).padStart(8)} ms${verdict}`,
  );
}

async function ask(ledger: SqlLedgerDatabase, firstDay: number): Promise<void> {
  const end = firstDay + days * dayMs;
  const month = { fromMs: end - 30 * dayMs, toMs: end };
  const odd = { fromMs: end - 30 * dayMs - 1_234_567, toMs: end - 2_345_678 };
  const total = { kind: "total", value: undefined } as const;
  await time("usage by model and day, 30 days", () => ledger.usage({ ...month, groupBy: ["model", "day"] }));
  await time("usage by model and day, 30 days, Berlin's days", () =>
    ledger.usage({ ...month, groupBy: ["model", "day"], timeZone: "Europe/Berlin" }),
  );
  await time("usage by team, 30 days", () => ledger.usage({ ...month, groupBy: ["team"] }));
  await time("usage by team, 30 days to the millisecond", () => ledger.usage({ ...odd, groupBy: ["team"] }));
  await time("usage by key and target, everything", () =>
    ledger.usage({ fromMs: firstDay, toMs: end, groupBy: ["key", "target"] }),
  );
  await time("usage by tag and day of one team, 30 days", () =>
    ledger.usage({ ...month, groupBy: ["tag", "day"], filters: { team: "team-3" } }),
  );
  await time("savings by model, 30 days", () => ledger.savings({ ...month, groupBy: ["model"] }));
  const newest = await ledger.exchanges({ ...month, limit: 100 });
  await time("last 100 exchanges", () => ledger.exchanges({ ...month, limit: 100 }));
  await time("last 100 exchanges of one key", () =>
    ledger.exchanges({ ...month, filters: { key: "key-150" }, limit: 100 }),
  );
  await time("last 100 failed exchanges", () =>
    ledger.exchanges({ ...month, filters: { outcome: "error" }, limit: 100 }),
  );
  const id = newest.rows[50]?.record.id ?? "";
  await time("one exchange", () => ledger.exchange(id));
  await time("spent in total, 30 days", () => ledger.spent(total, odd.fromMs, odd.toMs));
  await time("spent by one team, 30 days in 60 steps", () =>
    ledger.spent({ kind: "team", value: "team-3" }, month.fromMs, odd.toMs, dayMs / 2),
  );
}

try {
  const database = await openSqlDatabase(givenUrl ?? `sqlite:${file}`);
  await migrate(database);
  const ledger = new SqlLedgerDatabase(database);
  const firstDay = Date.UTC(2026, 7, 1);
  const started = performance.now();
  if (rows > 0) await fill(database, ledger, firstDay);
  // What a server that runs for days does by itself.
  await database.transaction((session) => session.query("ANALYZE"), { statementMs: 600_000 });
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  const size = givenUrl === undefined ? `, ${(statSync(file).size / 2 ** 30).toFixed(1)} GiB` : "";
  console.log(
    `${rows.toLocaleString("en")} exchanges over ${days} days in ${database.dialect}: filled in ${seconds} s${size}`,
  );
  await ask(ledger, firstDay);
  await database.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
