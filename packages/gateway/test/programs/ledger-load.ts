/**
 * A process that keeps a ledger under load, made to be killed: `bun ledger-load.ts <dir> <storage URL> <lanes>`.
 * Prints `{"event":"recovered"}`, then `begun <id>` before and `answered <id>` after each exchange's settle.
 */
import { writeSync } from "node:fs";
import { systemClock } from "../../src/lib/clock.ts";
import { systemRandomness } from "../../src/lib/ids.ts";
import { JournalLedger } from "../../src/stores/journal/journal-ledger.ts";
import { openSqlDatabase } from "../../src/stores/open-sql-database.ts";
import { MigratedDatabase } from "../../src/stores/sql/migrated-database.ts";
import { SqlLedgerDatabase } from "../../src/stores/sql/sql-ledger-database.ts";
import { attemptOf, exchangeOf, localTarget } from "../fixtures/ledger-rows.ts";

const [dir = "", url = "", lanes = "8"] = process.argv.slice(2);
const print = (line: string): number => writeSync(1, `${line}\n`);

const database = new MigratedDatabase(await openSqlDatabase(url));
const randomness = systemRandomness();
const ledger = new JournalLedger({
  dir,
  database: async () => new SqlLedgerDatabase(database),
  clock: systemClock,
  randomness,
  journalMaxBytes: 1 << 30,
  whenUnwritable: "serve",
  alert: (error) => print(`alert ${error.code} ${error.message}`),
  segmentBytes: 64 * 1024,
  queueRows: 300,
  batchMs: 20,
});
ledger.recover();
void ledger.recovered.then(() => print('{"event":"recovered"}'));

let stopping = false;
process.on("SIGTERM", () => {
  stopping = true;
});

async function exchange(): Promise<void> {
  const id = randomness.id();
  const at = Date.now();
  const { dialect, keyId, team, user, tags, asked, stream, reason } = exchangeOf(id, at);
  const cost = 1 + Math.floor(randomness.fraction() * 1_000);
  const rest = { target: localTarget, inputTokens: 1, outputTokens: 1, cost: 5_000, priceVersion: "book" };
  ledger.begin({ id, at, dialect, keyId, team, user, tags, asked, stream, reason, ...rest });
  print(`begun ${id}`);
  await new Promise((resolve) => setTimeout(resolve, randomness.fraction() * 4));
  ledger.settle(exchangeOf(id, at, { attempts: [attemptOf(localTarget, { cost })], cost }));
  print(`answered ${id} ${cost}`);
}

async function lane(): Promise<void> {
  while (!stopping) await exchange();
}

await Promise.all(Array.from({ length: Number(lanes) }, lane));
await ledger.close();
await database.close();
print(JSON.stringify({ event: "closed", status: ledger.status }));
