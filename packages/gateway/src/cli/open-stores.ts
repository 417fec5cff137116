import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { StorageSettings } from "../config/resolve-storage.ts";
import type { GatewayError } from "../core/errors.ts";
import type { Directory } from "../keys/directory.ts";
import type { LedgerDatabase } from "../ledger/ledger-database.ts";
import type { LedgerStore } from "../ledger/ledger-store.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import { Secret } from "../lib/secret.ts";
import { JournalLedger, type JournalStatus } from "../stores/journal/journal-ledger.ts";
import { MachineFiles } from "../stores/machine-files.ts";
import { MemoryDirectory } from "../stores/memory/memory-directory.ts";
import { MemoryLedgerStore } from "../stores/memory/memory-ledger-store.ts";
import { openSqlDatabase } from "../stores/open-sql-database.ts";
import { MigratedDatabase } from "../stores/sql/migrated-database.ts";
import { SqlDirectory } from "../stores/sql/sql-directory.ts";
import { SqlLedgerDatabase } from "../stores/sql/sql-ledger-database.ts";
import { StartError } from "./start-error.ts";

/** What a process keeps, and where. */
export interface Stores {
  readonly ledger: LedgerStore;
  /** Reports over the ledger; undefined where nothing is kept. */
  readonly reports: LedgerDatabase | undefined;
  readonly directory: Directory;
  /** Keys the hashes of virtual keys and encrypts credentials. */
  readonly secret: Secret;
  /** Undefined where nothing is kept. */
  readonly files: MachineFiles | undefined;
  readonly journal: (() => JournalStatus) | undefined;
  /** One line each, for a person. */
  readonly findings: readonly string[];
  readonly warnings: readonly string[];
  /** Resolves when rows that earlier processes left behind are stored. */
  readonly recovered: () => Promise<void>;
  /** Ends the database; the ledger is closed before by whoever writes to it. */
  close(): Promise<void>;
}

export interface StoreDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly alert: (error: GatewayError) => void;
}

const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/**
 * Opens what the config says. PostgreSQL need not answer yet: requests are served and their rows wait in the journal.
 * @throws StartError for a place that was named and cannot be written
 */
export async function openStores(
  settings: StorageSettings,
  secret: Secret | undefined,
  deps: StoreDeps,
): Promise<Stores> {
  if (settings.database.kind === "memory") return inMemory(secret, deps, []);
  const files = new MachineFiles(settings.dir);
  try {
    const kept = secret ?? files.readOrMake("secret");
    return await onDisk(settings, settings.database, kept, files, deps);
  } catch (thrown) {
    // Keys that are there must hold: what cannot be read again is no reason to serve everyone.
    if (!settings.isUsual || wasUsed(settings))
      throw new StartError(`The storage cannot be opened: ${reasonOf(thrown)}`);
    const why = `${JSON.stringify(settings.dir)} cannot be written (${reasonOf(thrown)})`;
    return inMemory(secret, deps, [
      `Nothing is kept: ${why}. Keys, budgets and the ledger end with this process; set \`storage.dir\` to keep them.`,
    ]);
  }
}

/** Whether something is kept there already. */
function wasUsed({ database, dir }: StorageSettings): boolean {
  return existsSync(join(dir, "secret")) || (database.kind === "sqlite" && existsSync(database.path));
}

function inMemory(secret: Secret | undefined, { clock, randomness }: StoreDeps, warnings: readonly string[]): Stores {
  return {
    ledger: new MemoryLedgerStore(),
    reports: undefined,
    directory: new MemoryDirectory({ clock, randomness }),
    secret: secret ?? new Secret(randomBytes(32).toString("hex")),
    files: undefined,
    journal: undefined,
    findings: ["storage: memory only, so the admin API takes `admin.token` alone"],
    warnings,
    recovered: async () => {},
    close: async () => {},
  };
}

async function onDisk(
  settings: StorageSettings,
  place: Exclude<StorageSettings["database"], { kind: "memory" }>,
  secret: Secret,
  files: MachineFiles,
  { clock, randomness, alert }: StoreDeps,
): Promise<Stores> {
  const url = place.kind === "sqlite" ? `sqlite:${place.path}` : place.url.reveal();
  const database = new MigratedDatabase(await openSqlDatabase(url));
  // A file is there or it is not; a server may come later.
  if (place.kind === "sqlite") await database.ready();
  const reports = new SqlLedgerDatabase(database);
  const journal = new JournalLedger({
    dir: settings.dir,
    database: async () => {
      await database.ready();
      return reports;
    },
    clock,
    randomness,
    journalMaxBytes: settings.journalMaxBytes,
    whenUnwritable: settings.whenUnwritable,
    alert,
  });
  journal.recover();
  const where = place.kind === "sqlite" ? place.path : `PostgreSQL, journal in ${join(settings.dir, "journal")}`;
  return {
    ledger: journal,
    reports,
    directory: new SqlDirectory(database, { clock, randomness }),
    secret,
    files,
    journal: () => journal.status,
    findings: [`storage: ${where}`],
    warnings: [],
    recovered: () => journal.recovered,
    close: () => database.close(),
  };
}
