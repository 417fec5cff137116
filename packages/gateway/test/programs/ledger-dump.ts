/** Prints every row of a ledger as a line of JSON, then what its report says in total: `bun ledger-dump.ts <storage URL>`. */
import { openSqlDatabase } from "../../src/stores/open-sql-database.ts";
import { SqlLedgerDatabase } from "../../src/stores/sql/sql-ledger-database.ts";

const database = await openSqlDatabase(process.argv[2] ?? "");
const ledger = new SqlLedgerDatabase(database);
const all = { fromMs: 0, toMs: Date.now() + 86_400_000 };
for await (const { record, orphaned } of ledger.exportRows(all)) {
  const { id, cost, outcome, attempts, usage, usageEstimated } = record;
  const attemptCosts = attempts.map((attempt) => attempt.cost);
  console.log(JSON.stringify({ event: "row", id, orphaned, cost, outcome, attemptCosts, usage, usageEstimated }));
}
const [total] = await ledger.usage({ ...all, groupBy: [] });
console.log(JSON.stringify({ event: "total", requests: total?.requests ?? 0, cost: total?.cost ?? 0 }));
await database.close();
