import type { Actor, Directory, DirectoryChanges, Listed, PageOf } from "../../keys/directory.ts";
import { type ChangeSource, recordChanges } from "../../keys/directory-changes.ts";
import type { DirectoryEntities, DirectoryKind } from "../../keys/directory-entities.ts";
import { directoryKinds, kindSpec } from "../../keys/directory-kinds.ts";
import { type DirectoryRows, readCursor, writeCursor } from "../../keys/directory-rows.ts";

/** One map for each kind. Maps are replaced and never changed once they can be seen. */
type Shelves = { readonly [K in DirectoryKind]: ReadonlyMap<string, DirectoryEntities[K]> };

const kinds = Object.keys(directoryKinds) as DirectoryKind[];

function list<K extends DirectoryKind>(things: Iterable<DirectoryEntities[K]>, kind: K, page: PageOf<K>) {
  const { listed } = kindSpec(kind);
  const wanted = Object.entries(page.where ?? {}).filter(([, value]) => value !== undefined);
  const after = page.after === undefined ? undefined : readCursor(page.after);
  const found = [...things]
    .filter((thing) => wanted.every(([index, value]) => listed[index]?.(thing) === value))
    .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    .filter((thing) => {
      if (after === undefined) return true;
      return thing.createdAt < after.createdAt || (thing.createdAt === after.createdAt && thing.id < after.id);
    });
  const items = found.slice(0, page.limit);
  const last = items.at(-1);
  return { items, next: found.length > items.length && last !== undefined ? writeCursor(last) : undefined };
}

class MemoryRows implements DirectoryRows {
  readonly shelves: Record<DirectoryKind, ReadonlyMap<string, never>>;
  readonly #own = new Set<DirectoryKind>();

  constructor(shelves: Shelves) {
    this.shelves = { ...shelves } as MemoryRows["shelves"];
  }

  #shelf<K extends DirectoryKind>(kind: K): ReadonlyMap<string, DirectoryEntities[K]> {
    return this.shelves[kind] as ReadonlyMap<string, DirectoryEntities[K]>;
  }

  #writable<K extends DirectoryKind>(kind: K): Map<string, DirectoryEntities[K]> {
    if (!this.#own.has(kind)) this.shelves[kind] = new Map(this.shelves[kind]);
    this.#own.add(kind);
    return this.shelves[kind] as unknown as Map<string, DirectoryEntities[K]>;
  }

  async get<K extends DirectoryKind>(kind: K, id: string): Promise<DirectoryEntities[K] | undefined> {
    return this.#shelf(kind).get(id);
  }

  async find<K extends DirectoryKind>(kind: K, index: string, value: string) {
    const read = kindSpec(kind).unique[index];
    for (const thing of this.#shelf(kind).values()) if (read?.(thing) === value) return thing;
    return undefined;
  }

  async list<K extends DirectoryKind>(kind: K, page: PageOf<K>): Promise<Listed<DirectoryEntities[K]>> {
    return list(this.#shelf(kind).values(), kind, page);
  }

  async insert<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Promise<void> {
    this.#writable(kind).set(thing.id, thing);
  }

  async replace<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Promise<void> {
    this.#writable(kind).set(thing.id, thing);
  }

  async remove(kind: DirectoryKind, id: string): Promise<void> {
    this.#writable(kind).delete(id);
  }
}

/** The audit log has a bound here: what is only in memory is for trying out. */
const auditEntriesMax = 10_000;

/** Keeps the directory for as long as the process lives, for `storage.url: memory`. */
export class MemoryDirectory implements Directory {
  readonly #source: ChangeSource;
  #shelves = Object.fromEntries(kinds.map((kind) => [kind, new Map()])) as unknown as Shelves;
  #version = 1;
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: ChangeSource) {
    this.#source = source;
  }

  get: Directory["get"] = (kind, id) => new MemoryRows(this.#shelves).get(kind, id);
  find: Directory["find"] = (kind, index, value) => new MemoryRows(this.#shelves).find(kind, index, value);
  list: Directory["list"] = (kind, page) => new MemoryRows(this.#shelves).list(kind, page);

  change<T>(actor: Actor, work: (changes: DirectoryChanges) => Promise<T>): Promise<T> {
    const run = this.#last.then(async () => {
      const rows = new MemoryRows(this.#shelves);
      const { changes, touchedMirrored } = recordChanges(rows, actor, this.#source);
      const result = await work(changes);
      const shelves = rows.shelves as unknown as Shelves;
      const audit = [...shelves.audit].slice(-auditEntriesMax);
      this.#shelves = { ...shelves, audit: new Map(audit) };
      if (touchedMirrored()) this.#version++;
      return result;
    });
    this.#last = run.catch(() => undefined);
    return run;
  }

  async version(): Promise<number> {
    return this.#version;
  }

  async pruneSessions(createdBeforeMs: number): Promise<void> {
    const kept = [...this.#shelves.session].filter(([, session]) => session.createdAt >= createdBeforeMs);
    this.#shelves = { ...this.#shelves, session: new Map(kept) };
  }

  async pruneAudit(createdBeforeMs: number): Promise<void> {
    const kept = [...this.#shelves.audit].filter(([, entry]) => entry.createdAt >= createdBeforeMs);
    this.#shelves = { ...this.#shelves, audit: new Map(kept) };
  }
}
