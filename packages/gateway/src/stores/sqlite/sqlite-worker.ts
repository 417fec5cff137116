import { Database, type Statement } from "bun:sqlite";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { appendRows } from "../sql/append-rows.ts";
import { exactInteger } from "../sql/exact-integer.ts";
import type { SqlRow, SqlSession, SqlValue } from "../sql/sql-database.ts";
import { packRows, type SqliteAnswer, type SqliteRequest, unpack, unpackLedger } from "./sqlite-message.ts";

declare const self: Worker;

const maxStatements = 200;
const busyMs = 5_000;

let database: Database | undefined;
const statements = new Map<string, Statement>();

/** Others on the machine must not read who asked what. SQLite gives its side files the mode of the main file. */
function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
}

function open(path: string, readOnly: boolean): void {
  if (!readOnly) createPrivately(path);
  // Read-only connections open the file for writing all the same: only then can they recover a journal left behind.
  database = new Database(path, { readwrite: true, create: false, safeIntegers: true });
  database.run(`PRAGMA busy_timeout = ${busyMs}`);
  if (readOnly) {
    database.run("PRAGMA query_only = on");
    return;
  }
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run("PRAGMA foreign_keys = on");
  // Ids are random: with fewer checkpoints each page of their index is written back less often.
  database.run("PRAGMA wal_autocheckpoint = 8000");
  database.run("PRAGMA cache_size = -16000");
  database.run("PRAGMA journal_size_limit = 67108864");
}

/** `$n` would be a name to SQLite, bound in the order of appearance; `?n` is a number. */
function prepare(sql: string): Statement {
  const known = statements.get(sql);
  if (known !== undefined) return known;
  if (database === undefined) throw new Error("The database is closed.");
  const statement = database.prepare(sql.replace(/\$(\d+)/g, "?$1"));
  statements.set(sql, statement);
  if (statements.size > maxStatements) {
    const [oldest] = statements.entries().next().value ?? [];
    if (oldest !== undefined) {
      statements.get(oldest)?.finalize();
      statements.delete(oldest);
    }
  }
  return statement;
}

function exactRow(row: Record<string, SqlValue>): SqlRow {
  for (const name in row) {
    const value = row[name];
    if (typeof value === "bigint") row[name] = exactInteger(value);
  }
  return row;
}

function query(sql: string, params: readonly SqlValue[]): SqlRow[] {
  const statement = prepare(sql);
  return (statement.all(...params) as Record<string, SqlValue>[]).map(exactRow);
}

function close(): void {
  for (const statement of statements.values()) statement.finalize();
  statements.clear();
  database?.close();
  database = undefined;
}

/** This thread as a session. Nothing of it waits, so no other message comes between the statements of a transaction. */
const here: SqlSession = {
  query: async (sql, params = []) => query(sql, params),
  insertEach(sql, rows) {
    const statement = prepare(sql);
    const inserted: boolean[] = [];
    for (const values of rows) inserted.push(statement.run(...values).changes > 0);
    return inserted;
  },
};

async function append(rows: string): Promise<void> {
  query("BEGIN IMMEDIATE", []);
  try {
    await appendRows(here, "sqlite", unpackLedger(rows));
    query("COMMIT", []);
  } catch (thrown) {
    try {
      query("ROLLBACK", []);
    } catch {
      // SQLite rolled back by itself, for example when the disk is full.
    }
    throw thrown;
  }
}

async function answer(request: SqliteRequest): Promise<SqliteAnswer> {
  try {
    if (request.op === "open") open(request.path, request.readOnly);
    else if (request.op === "close") close();
    else if (request.op === "append") await append(request.rows);
    else return { id: request.id, rows: packRows(query(request.sql, unpack(request.params))) };
    return { id: request.id, rows: [] };
  } catch (thrown) {
    const { message, code } = thrown as { message?: string; code?: string };
    return { id: request.id, error: { message: message ?? String(thrown), code } };
  }
}

self.onmessage = async (event: MessageEvent<SqliteRequest>) => {
  self.postMessage(await answer(event.data));
};
