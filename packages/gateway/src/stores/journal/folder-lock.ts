import { Database } from "bun:sqlite";
import { join } from "node:path";

export const lockFile = "lock.sqlite";

/** Ownership of a journal folder. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes the lock of a folder, or returns undefined while a living process has it. The operating system releases it when
 * its process dies, however that happens: an exclusive transaction is a lock on the file.
 */
export function lockFolder(folder: string): FolderLock | undefined {
  let database: Database | undefined;
  try {
    database = new Database(join(folder, lockFile), { create: true, readwrite: true });
    database.run("PRAGMA busy_timeout = 0");
    database.run("BEGIN EXCLUSIVE");
  } catch {
    database?.close();
    return undefined;
  }
  const held = database;
  return { release: () => held.close() };
}
