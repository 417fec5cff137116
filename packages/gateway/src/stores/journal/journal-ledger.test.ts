import { afterEach, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exchangeOf } from "../../../test/fixtures/ledger-rows.ts";
import { ScriptedLedgerDatabase } from "../../../test/fixtures/scripted-ledger-database.ts";
import { tempDir } from "../../../test/fixtures/temp-dir.ts";
import type { GatewayError } from "../../core/errors.ts";
import type { LedgerBegin } from "../../ledger/ledger-store.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { systemRandomness } from "../../lib/ids.ts";
import { JournalLedger, type JournalLedgerOptions } from "./journal-ledger.ts";

/** Waits pass a hundred times faster than the system's. */
const fastClock: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs(),
  after(ms, fire) {
    const timer = setTimeout(fire, ms / 100);
    return () => clearTimeout(timer);
  },
};

const opened: JournalLedger[] = [];
const folders: ReturnType<typeof tempDir>[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  for (const folder of folders.splice(0)) folder[Symbol.dispose]();
});

function newDir(): string {
  const folder = tempDir();
  folders.push(folder);
  return folder.path;
}

interface Opened {
  readonly ledger: JournalLedger;
  readonly database: ScriptedLedgerDatabase;
  readonly alerts: GatewayError[];
  readonly dir: string;
}

function open(change: Partial<JournalLedgerOptions> = {}, database = new ScriptedLedgerDatabase()): Opened {
  const alerts: GatewayError[] = [];
  const dir = change.dir ?? newDir();
  const ledger = new JournalLedger({
    dir,
    database: database.connect,
    clock: fastClock,
    randomness: systemRandomness(),
    journalMaxBytes: 1 << 30,
    whenUnwritable: "serve",
    alert: (error) => alerts.push(error),
    ...change,
  });
  opened.push(ledger);
  return { ledger, database, alerts, dir };
}

const record = (id: string) => exchangeOf(id, 1_780_000_000_000);

function beginOf(id: string): LedgerBegin {
  const { at, dialect, keyId, team, user, tags, asked, stream, reason, firstChoice } = record(id);
  if (firstChoice === undefined) throw new Error("no target");
  const rest = { inputTokens: 90, outputTokens: 40, cost: 700, priceVersion: "book 2026-11" };
  return { id, at, dialect, keyId, team, user, tags, asked, stream, reason, target: firstChoice, ...rest };
}

function exchange(ledger: JournalLedger, id: string): void {
  ledger.begin(beginOf(id));
  ledger.settle(record(id));
}

const names = (count: number, prefix = "x"): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const folderOf = (dir: string): string => {
  const [name] = readdirSync(join(dir, "journal"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return join(dir, "journal", name?.name ?? "none");
};

test("settled exchanges reach the database in bounded batches, and a clean end leaves no folder", async () => {
  const { ledger, database, dir } = open({ batchRows: 50 });
  for (const id of names(120)) exchange(ledger, id);
  expect(ledger.status.queued).toBe(120);
  await ledger.flush();
  expect(database.ids).toEqual(names(120));
  expect(Math.max(...database.batches)).toBe(50);
  expect(ledger.status).toMatchObject({ queued: 0, oldestUnstoredMs: 0, databaseUp: true, dropped: 0 });
  await ledger.close();
  expect(readdirSync(join(dir, "journal"))).toEqual([]);
});

test("while the database is away nothing throws, the operator hears it once, and all is stored when it returns", async () => {
  const { ledger, database, alerts } = open();
  database.down = true;
  for (const id of names(30)) exchange(ledger, id);
  await database.until(() => database.tries >= 4);
  expect(ledger.status).toMatchObject({ queued: 30, databaseUp: false });
  expect(alerts.map(({ code }) => code)).toEqual(["store_unavailable"]);
  database.down = false;
  await database.until(() => database.rows.length === 30);
  expect(database.ids).toEqual(names(30));
});

test("rows beyond the queue wait in the journal only and are read back in order", async () => {
  const { ledger, database, dir } = open({ queueRows: 10, batchRows: 7, segmentBytes: 4_000 });
  database.down = true;
  for (const id of names(100)) exchange(ledger, id);
  await database.until(() => database.tries >= 2);
  expect(readdirSync(folderOf(dir)).length).toBeGreaterThan(10);
  database.down = false;
  await database.until(() => database.rows.length >= 40);
  for (const id of names(50, "late")) exchange(ledger, id);
  await database.until(() => database.rows.length >= 150);
  await ledger.flush();
  expect(database.ids).toEqual([...names(100), ...names(50, "late")]);
  expect(ledger.status).toMatchObject({ queued: 0, dropped: 0 });
  // A finished segment goes with its last row; only the one being written is left.
  expect(readdirSync(folderOf(dir)).length).toBeLessThanOrEqual(2);
});

test("a row that the database refuses is put aside and told, and its neighbours are stored", async () => {
  const { ledger, database, alerts, dir } = open();
  database.refuses = (row) => row.record.id === "x3" || row.record.id === "x9";
  for (const id of names(20)) exchange(ledger, id);
  await ledger.flush();
  expect(database.ids).toEqual(names(20).filter((id) => id !== "x3" && id !== "x9"));
  const rejected = readFileSync(join(dir, "journal", "rejected.jsonl"), "utf8")
    .trim()
    .split("\n");
  expect(rejected.map((line) => JSON.parse(line).record.id)).toEqual(["x3", "x9"]);
  expect(alerts.map(({ code }) => code)).toEqual(["ledger_unavailable", "ledger_unavailable"]);
  expect(ledger.status).toMatchObject({ queued: 0, rejected: 2 });
});

test("shutdown ends with the database down, and the next start stores what was left, once", async () => {
  const first = open();
  first.database.down = true;
  for (const id of names(40)) exchange(first.ledger, id);
  await first.ledger.close();
  const second = open({ dir: first.dir });
  second.ledger.recover();
  await second.ledger.recovered;
  expect(second.database.ids).toEqual(names(40));
  const third = open({ dir: first.dir });
  third.ledger.recover();
  await third.ledger.recovered;
  expect(third.database.ids).toEqual([]);
});

test("an exchange that only began becomes an orphaned row with its prediction", async () => {
  const first = open();
  exchange(first.ledger, "done");
  first.ledger.begin(beginOf("begun"));
  await first.ledger.close();
  const second = open({ dir: first.dir });
  second.ledger.recover();
  await second.ledger.recovered;
  const orphan = second.database.rows.find((row) => row.record.id === "begun");
  expect(orphan?.orphaned).toBe(true);
  expect(orphan?.record).toMatchObject({ outcome: "interrupted", usageEstimated: true, cost: 700, keyId: "key-1" });
  expect(orphan?.record.usage).toMatchObject({ inputTokens: 90, outputTokens: 40 });
  expect(orphan?.record.attempts).toMatchObject([{ target: "box/small", cost: 700, usageEstimated: true }]);
});

test("a living gateway's journal in the same folder is left alone", async () => {
  const first = open();
  first.database.down = true;
  exchange(first.ledger, "mine");
  const second = open({ dir: first.dir });
  second.ledger.recover();
  await second.ledger.recovered;
  expect(second.database.rows).toEqual([]);
  expect(readdirSync(join(first.dir, "journal"))).toHaveLength(2);
});

test("a journal that cannot be written does not stop requests: rows go through memory", async () => {
  const { ledger, database, alerts, dir } = open({ segmentBytes: 1 });
  exchange(ledger, "before");
  rmSync(folderOf(dir), { recursive: true });
  for (const id of names(5)) exchange(ledger, id);
  await ledger.flush();
  expect(database.ids).toEqual(["before", ...names(5)]);
  expect(alerts.map(({ code }) => code)).toEqual(["ledger_unavailable"]);
});

test("with no room anywhere, serving loses rows and says so; refusing turns requests away before they cost anything", async () => {
  const database = new ScriptedLedgerDatabase();
  database.down = true;
  const serving = open({ journalMaxBytes: 4_000, queueRows: 5 }, database);
  for (const id of names(50)) exchange(serving.ledger, id);
  await database.until(() => database.tries >= 2);
  expect(serving.ledger.status.dropped).toBeGreaterThan(30);
  expect(serving.ledger.status.journalBytes).toBeLessThan(4_000 + 3_000);
  expect(serving.alerts.map(({ code }) => code)).toContain("ledger_unavailable");

  const refusing = open({ journalMaxBytes: 1_000, queueRows: 5, whenUnwritable: "refuse" }, database);
  exchange(refusing.ledger, "taken");
  await database.until(() => !refusing.ledger.status.databaseUp);
  expect(() => refusing.ledger.begin(beginOf("refused"))).toThrow("cannot be accounted for");
  database.down = false;
  await refusing.ledger.flush();
  refusing.ledger.begin(beginOf("taken again"));
});

test("a damaged line is left out, and the lines around it are not", async () => {
  const first = open();
  first.database.down = true;
  for (const id of names(3)) exchange(first.ledger, id);
  await first.ledger.close();
  const path = join(folderOf(first.dir), "1.jsonl");
  const lines = readFileSync(path, "utf8").split("\n");
  lines[3] = `${lines[3]?.slice(0, 40)}\u0000\u0000`;
  writeFileSync(path, lines.join("\n"));
  const second = open({ dir: first.dir });
  second.ledger.recover();
  await second.ledger.recovered;
  expect(second.database.ids.toSorted()).toEqual(["x0", "x1", "x2"]);
  expect(second.database.rows.filter(({ orphaned }) => orphaned).map(({ record: { id } }) => id)).toEqual(["x1"]);
});

test("flush resolves at its deadline while the database answers nothing at all", async () => {
  const { ledger, database } = open();
  let release = (): void => {};
  database.gate = new Promise((resolve) => {
    release = resolve;
  });
  exchange(ledger, "slow");
  await ledger.flush();
  expect(database.rows).toEqual([]);
  release();
  await database.until(() => database.rows.length === 1);
});
