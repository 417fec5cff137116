import { createHash } from "node:crypto";
import type { Migration } from "./migration.ts";
import { migrations as all } from "./migrations/migrations.ts";
import type { SqlDatabase, SqlSession } from "./sql-database.ts";
import { SqlError } from "./sql-error.ts";

/** Any number, the same in every version: who holds its lock changes the shape. */
const lockKey = 7_203_114_501;
const lockTries = 600;
const lockPauseMs = 100;
/** An index over many rows takes its time. */
const statementMs = 30 * 60_000;

interface Applied {
  readonly version: number;
  readonly checksum: string;
}

function checksumOf(migration: Migration, dialect: SqlDatabase["dialect"]): string {
  return createHash("sha256").update(migration.statements(dialect).join(";\n")).digest("hex");
}

/** SQLite's BEGIN IMMEDIATE is lock enough. Trying instead of waiting keeps each statement short. */
async function tryLock(database: SqlDatabase, session: SqlSession): Promise<boolean> {
  if (database.dialect === "sqlite") return true;
  const [row] = await session.query("SELECT pg_try_advisory_xact_lock($1) AS locked", [lockKey]);
  return row?.["locked"] === 1;
}

async function appliedSteps(session: SqlSession): Promise<Applied[]> {
  await session.query(
    "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
  );
  const rows = await session.query("SELECT version, checksum FROM schema_migrations ORDER BY version");
  return rows.map((row) => ({ version: Number(row["version"]), checksum: String(row["checksum"]) }));
}

function checkApplied(applied: readonly Applied[], steps: readonly Migration[], dialect: SqlDatabase["dialect"]): void {
  const newest = steps.length;
  const last = applied.at(-1)?.version ?? 0;
  if (last > newest) {
    throw new SqlError(
      "failed",
      `The database has version ${last}; this Fairlead knows versions up to ${newest}. Use the newer Fairlead, or a database of its own.`,
    );
  }
  applied.forEach(({ version, checksum }, index) => {
    const step = steps[index];
    if (step === undefined || step.version !== version || checksumOf(step, dialect) !== checksum) {
      throw new SqlError("failed", `Version ${version} of the database was made by other steps than this Fairlead's.`);
    }
  });
}

/** Takes the next step, if there is one. "busy" while another process takes one. */
function step(database: SqlDatabase, steps: readonly Migration[]): Promise<"busy" | "done" | "more"> {
  return database.transaction(
    async (session) => {
      if (!(await tryLock(database, session))) return "busy";
      const applied = await appliedSteps(session);
      checkApplied(applied, steps, database.dialect);
      const next = steps[applied.length];
      if (next === undefined) return "done";
      for (const statement of next.statements(database.dialect)) await session.query(statement);
      await session.query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)", [
        next.version,
        next.name,
        checksumOf(next, database.dialect),
      ]);
      return "more";
    },
    { statementMs },
  );
}

/**
 * Brings the database to the newest version, each step in a transaction of its own. Several processes may call it at once.
 * @throws SqlError for a database that a newer version made, or whose steps differ
 */
export async function migrate(database: SqlDatabase, steps: readonly Migration[] = all): Promise<void> {
  for (let waits = 0; waits < lockTries; ) {
    const result = await step(database, steps);
    if (result === "done") return;
    if (result === "busy") {
      waits++;
      await new Promise((resolve) => setTimeout(resolve, lockPauseMs));
    }
  }
  throw new SqlError("unavailable", "Another process is changing the database's shape and does not end.");
}
