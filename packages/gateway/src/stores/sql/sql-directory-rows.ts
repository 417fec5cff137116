import type { Listed, PageOf } from "../../keys/directory.ts";
import type { DirectoryEntities, DirectoryKind } from "../../keys/directory-entities.ts";
import { kindSpec } from "../../keys/directory-kinds.ts";
import { type DirectoryRows, readCursor, writeCursor } from "../../keys/directory-rows.ts";
import type { SqlRow, SqlSession, SqlValue } from "./sql-database.ts";

/** Where each kind is kept. Columns named `by_…` repeat what a thing is found by; `data` is the whole of it as JSON. */
export const directoryTables: { readonly [K in DirectoryKind]: string } = {
  key: "virtual_keys",
  team: "teams",
  member: "team_members",
  user: "users",
  token: "admin_tokens",
  session: "admin_sessions",
  budget: "budgets",
  limit: "rate_limits",
  credential: "credentials",
  config: "config_versions",
  audit: "audit_log",
};

function indexValues<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): [string, SqlValue][] {
  const { unique, listed } = kindSpec(kind);
  return Object.entries({ ...unique, ...listed }).map(([index, read]) => [`by_${index}`, read(thing) ?? null]);
}

function columnsOf<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): [string, SqlValue][] {
  const { id, version, createdAt, ...data } = thing;
  return [
    ["id", id],
    ["version", version],
    ["created_at", createdAt],
    ["data", JSON.stringify(data)],
    ...indexValues(kind, thing),
  ];
}

function readThing<K extends DirectoryKind>(row: SqlRow): DirectoryEntities[K] {
  const data = JSON.parse(String(row["data"])) as DirectoryEntities[K];
  const stored = { id: String(row["id"]), version: Number(row["version"]), createdAt: Number(row["created_at"]) };
  return { ...data, ...stored };
}

const fields = "id, version, created_at, data";

/** The directory's rows over one session, portable between the dialects. Values always travel as parameters. */
export class SqlDirectoryRows implements DirectoryRows {
  readonly #session: SqlSession;

  constructor(session: SqlSession) {
    this.#session = session;
  }

  async get<K extends DirectoryKind>(kind: K, id: string): Promise<DirectoryEntities[K] | undefined> {
    const [row] = await this.#session.query(`SELECT ${fields} FROM ${directoryTables[kind]} WHERE id = $1`, [id]);
    return row === undefined ? undefined : readThing<K>(row);
  }

  async find<K extends DirectoryKind>(kind: K, index: string, value: string) {
    if (!Object.hasOwn(kindSpec(kind).unique, index)) throw new Error(`${kind} has no unique ${index}`);
    const sql = `SELECT ${fields} FROM ${directoryTables[kind]} WHERE by_${index} = $1`;
    const [row] = await this.#session.query(sql, [value]);
    return row === undefined ? undefined : readThing<K>(row);
  }

  async list<K extends DirectoryKind>(kind: K, page: PageOf<K>): Promise<Listed<DirectoryEntities[K]>> {
    const params: SqlValue[] = [];
    const conditions: string[] = [];
    for (const [index, value] of Object.entries(page.where ?? {})) {
      if (value === undefined) continue;
      if (!Object.hasOwn(kindSpec(kind).listed, index)) throw new Error(`${kind} is not listed by ${index}`);
      conditions.push(`by_${index} = $${params.push(value as string)}`);
    }
    const after = page.after === undefined ? undefined : readCursor(page.after);
    if (after !== undefined) {
      const createdAt = params.push(after.createdAt);
      conditions.push(`(created_at, id) < ($${createdAt}, $${params.push(after.id)})`);
    }
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const limit = `$${params.push(page.limit + 1)}`;
    const sql = `SELECT ${fields} FROM ${directoryTables[kind]} ${where} ORDER BY created_at DESC, id DESC LIMIT ${limit}`;
    const found = (await this.#session.query(sql, params)).map((row) => readThing<K>(row));
    const items = found.slice(0, page.limit);
    const last = items.at(-1);
    return { items, next: found.length > items.length && last !== undefined ? writeCursor(last) : undefined };
  }

  async insert<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Promise<void> {
    const columns = columnsOf(kind, thing);
    const names = columns.map(([name]) => name).join(", ");
    const places = columns.map((_, at) => `$${at + 1}`).join(", ");
    const values = columns.map(([, value]) => value);
    await this.#session.query(`INSERT INTO ${directoryTables[kind]} (${names}) VALUES (${places})`, values);
  }

  async replace<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Promise<void> {
    const columns = columnsOf(kind, thing);
    const sets = columns.map(([name], at) => `${name} = $${at + 1}`).join(", ");
    const values = columns.map(([, value]) => value);
    const id = `$${values.push(thing.id)}`;
    await this.#session.query(`UPDATE ${directoryTables[kind]} SET ${sets} WHERE id = ${id}`, values);
  }

  async remove(kind: DirectoryKind, id: string): Promise<void> {
    await this.#session.query(`DELETE FROM ${directoryTables[kind]} WHERE id = $1`, [id]);
  }
}
