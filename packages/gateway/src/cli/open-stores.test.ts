import { afterEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StorageSettings } from "../config/resolve-storage.ts";
import { systemClock } from "../lib/clock.ts";
import { systemRandomness } from "../lib/ids.ts";
import { openStores, type Stores } from "./open-stores.ts";

const opened: Stores[] = [];
const folders: string[] = [];

function settings(more: Partial<StorageSettings> = {}): StorageSettings {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-stores-"));
  folders.push(folder);
  const dir = join(folder, "data");
  return {
    database: { kind: "sqlite", path: join(dir, "fairlead.db") },
    dir,
    isUsual: true,
    journalMaxBytes: 1 << 20,
    whenUnwritable: "serve",
    retentionDays: 0,
    ...more,
  };
}

async function open(storage: StorageSettings): Promise<Stores> {
  const deps = { clock: systemClock, randomness: systemRandomness(), alert: () => {} };
  const stores = await openStores(storage, undefined, deps);
  opened.push(stores);
  return stores;
}

async function close(): Promise<void> {
  for (const stores of opened.splice(0)) {
    await stores.ledger.close();
    await stores.close();
  }
}

afterEach(async () => {
  await close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test("a first start makes the folder, the database and this machine's secret", async () => {
  const storage = settings();
  const stores = await open(storage);
  expect(stores.reports).toBeDefined();
  expect(existsSync(join(storage.dir, "secret"))).toBe(true);
});

test("a place that nobody named and nobody can write is done without, with a warning", async () => {
  const storage = settings();
  // A file stands where the folder should be: not even root can write below it.
  writeFileSync(storage.dir, "");
  const stores = await open(storage);
  expect(stores.reports).toBeUndefined();
  expect(stores.warnings.join()).toContain("Nothing is kept");
});

test("a place that somebody named must be written", async () => {
  const storage = settings({ isUsual: false });
  writeFileSync(storage.dir, "");
  expect(open(storage)).rejects.toThrow("The storage cannot be opened");
});

test("a database that was there and is damaged ends the start, since keys in it must not be forgotten", async () => {
  const storage = settings();
  await open(storage);
  await close();
  rmSync(join(storage.dir, "fairlead.db-wal"), { force: true });
  writeFileSync(join(storage.dir, "fairlead.db"), "this is no database, whatever its name says".repeat(100));
  expect(open(storage)).rejects.toThrow("The storage cannot be opened");
});

test("a database that is gone while its secret is left ends the start too, when it cannot be made again", async () => {
  const storage = settings();
  mkdirSync(storage.dir);
  writeFileSync(join(storage.dir, "secret"), "a".repeat(64));
  mkdirSync(join(storage.dir, "fairlead.db"));
  chmodSync(storage.dir, 0o700);
  expect(open(storage)).rejects.toThrow("The storage cannot be opened");
});
