import type { Gateway } from "../build-gateway.ts";
import type { Stores } from "./open-stores.ts";

/** Shows in `/metrics` how far the database is behind. */
export function showJournal({ metrics }: Gateway, { journal }: Stores): void {
  if (journal === undefined) return;
  metrics.watch(
    "llm_router_ledger_queued_rows",
    "Settled rows the database has not taken yet.",
    () => journal().queued,
  );
  metrics.watch("llm_router_ledger_journal_bytes", "Size of the ledger's journal.", () => journal().journalBytes);
  metrics.watch("llm_router_ledger_dropped_rows", "Rows that were lost since the start.", () => journal().dropped);
  metrics.watch(
    "llm_router_ledger_database_up",
    "Whether the database took the last batch.",
    () => (journal().databaseUp ? 1 : 0),
    "min",
  );
}
