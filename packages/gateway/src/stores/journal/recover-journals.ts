import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { LedgerBegin } from "../../ledger/ledger-store.ts";
import { type FolderLock, lockFile, lockFolder } from "./folder-lock.ts";
import { segmentNumbers, segmentPath } from "./journal-segment.ts";
import { orphanRow } from "./orphan-row.ts";
import { readSegment } from "./read-segment.ts";

const batchRows = 500;
/** A folder without a lock file may belong to a process that is just starting. */
const youngMs = 60_000;

/** A folder whose process died, locked by this one. */
interface DeadFolder {
  readonly path: string;
  readonly lock: FolderLock;
}

/** Locks the folders of dead processes under `root`. */
export function findDeadFolders(root: string, ownFolder: string, nowMs: number): DeadFolder[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name);
    if (!entry.isDirectory() || path === ownFolder) return [];
    try {
      if (!existsSync(join(path, lockFile)) && nowMs - statSync(path).mtimeMs < youngMs) return [];
      const lock = lockFolder(path);
      return lock === undefined ? [] : [{ path, lock }];
    } catch {
      // Another process recovered and removed it meanwhile.
      return [];
    }
  });
}

/** Every row a journal folder holds, in order: what settled, then what only began. Memory: one chunk and what was running. */
export async function* readFolder(folder: string): AsyncGenerator<LedgerRow> {
  const running = new Map<string, LedgerBegin>();
  for (const number of segmentNumbers(readdirSync(folder))) {
    for await (const { line } of readSegment(segmentPath(folder, number))) {
      if (line.kind === "begin") running.set(line.begin.id, line.begin);
      else {
        running.delete(line.record.id);
        yield { record: line.record, orphaned: false };
      }
    }
  }
  for (const begin of running.values()) yield orphanRow(begin);
}

/**
 * Stores what a dead process left, then removes its folder. `store` resolves false to stop early: the folder then stays
 * as it is for the next start. Returns the number of rows.
 */
export async function recoverFolder(
  folder: DeadFolder,
  store: (rows: readonly LedgerRow[]) => Promise<boolean>,
): Promise<number> {
  let rows = 0;
  try {
    let batch: LedgerRow[] = [];
    for await (const row of readFolder(folder.path)) {
      batch.push(row);
      if (batch.length < batchRows) continue;
      if (!(await store(batch))) return rows;
      rows += batch.length;
      batch = [];
    }
    if (batch.length > 0 && !(await store(batch))) return rows;
    rows += batch.length;
    rmSync(folder.path, { recursive: true, force: true });
    return rows;
  } finally {
    folder.lock.release();
  }
}
