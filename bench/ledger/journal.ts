/** Prints what one exchange costs on the request path: `begin` and `settle` of the journal, database included in the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LedgerBegin } from "../../packages/gateway/src/ledger/ledger-store.ts";
import { systemClock } from "../../packages/gateway/src/lib/clock.ts";
import { systemRandomness } from "../../packages/gateway/src/lib/ids.ts";
import { JournalLedger } from "../../packages/gateway/src/stores/journal/journal-ledger.ts";
import { openSqlDatabase } from "../../packages/gateway/src/stores/open-sql-database.ts";
import { MigratedDatabase } from "../../packages/gateway/src/stores/sql/migrated-database.ts";
import { SqlLedgerDatabase } from "../../packages/gateway/src/stores/sql/sql-ledger-database.ts";
import { exchangeOf, localTarget } from "../../packages/gateway/test/fixtures/ledger-rows.ts";

const rounds = 40;
const perRound = 2_000;

const dir = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
const database = new MigratedDatabase(await openSqlDatabase(process.argv[2] ?? `sqlite:${join(dir, "ledger.sqlite")}`));
const randomness = systemRandomness();
const ledger = new JournalLedger({
  dir,
  database: async () => new SqlLedgerDatabase(database),
  clock: systemClock,
  randomness,
  journalMaxBytes: 1 << 30,
  whenUnwritable: "serve",
  alert: (error) => console.error(error.message),
  flushMs: 60_000,
});

function run(count: number): void {
  for (let i = 0; i < count; i++) {
    const id = randomness.id();
    const record = exchangeOf(id, Date.now());
    const { at, dialect, keyId, team, user, tags, asked, stream, reason } = record;
    const rest = { target: localTarget, inputTokens: 100, outputTokens: 30, cost: 1_000, priceVersion: "book" };
    const begin: LedgerBegin = { id, at, dialect, keyId, team, user, tags, asked, stream, reason, ...rest };
    ledger.begin(begin);
    ledger.settle(record);
  }
}

const hotPath: number[] = [];
const cpuBefore = process.cpuUsage();
for (let round = 0; round < rounds; round++) {
  const started = performance.now();
  run(perRound);
  hotPath.push(((performance.now() - started) * 1_000) / perRound);
  await ledger.flush();
}
const cpu = process.cpuUsage(cpuBefore);
hotPath.sort((a, b) => a - b);
const rows = rounds * perRound;
console.log(
  `begin + settle, ${rows} exchanges: p50 ${hotPath[rounds / 2]?.toFixed(1)} µs, best ${hotPath[0]?.toFixed(1)} µs`,
);
console.log(`CPU of the process, storing included: ${((cpu.user + cpu.system) / rows).toFixed(1)} µs per exchange`);
console.log(`status ${JSON.stringify(ledger.status)}`);
await ledger.close();
await database.close();
rmSync(dir, { recursive: true, force: true });
