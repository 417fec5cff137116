import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import { migrate } from "./migrate.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { SqlLedgerDatabase } from "./sql-ledger-database.ts";

/**
 * Returns what gives the ledger of a database once its tables are there. Until that succeeded every call tries again, so
 * that a gateway may start before its database; afterwards it costs nothing.
 */
export function connectLedger(database: SqlDatabase): () => Promise<LedgerDatabase> {
  let connected: Promise<LedgerDatabase> | undefined;
  return () => {
    connected ??= migrate(database).then(
      () => new SqlLedgerDatabase(database),
      (error: unknown) => {
        connected = undefined;
        throw error;
      },
    );
    return connected;
  };
}
