import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import type { Actor, DirectoryChanges } from "./directory.ts";
import type { AuditEntry, DirectoryEntities, DirectoryKind, Stored } from "./directory-entities.ts";
import { kindSpec } from "./directory-kinds.ts";
import type { DirectoryRows } from "./directory-rows.ts";

export interface ChangeSource {
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export interface RecordedChanges {
  readonly changes: DirectoryChanges;
  /** Whether anything changed that replicas keep in memory. */
  readonly touchedMirrored: () => boolean;
}

/** What the audit log may show of a thing. */
function shown<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Record<string, unknown> {
  const hidden: readonly string[] = kindSpec(kind).hidden;
  return Object.fromEntries(Object.entries(thing).filter(([field]) => !hidden.includes(field)));
}

async function refuseDuplicates<K extends DirectoryKind>(
  rows: DirectoryRows,
  kind: K,
  thing: DirectoryEntities[K],
): Promise<void> {
  for (const [index, read] of Object.entries(kindSpec(kind).unique)) {
    const value = read(thing);
    if (value === undefined) continue;
    const other = await rows.find(kind, index as never, value);
    if (other === undefined || other.id === thing.id) continue;
    const what = index === "name" ? `the name ${JSON.stringify(value)}` : `this ${index.replaceAll("_", " ")}`;
    throw new GatewayError("conflict", `There is a ${kind} with ${what} already.`, { param: index });
  }
}

/**
 * Makes a transaction's raw rows into changes that keep versions, refuse lost updates and duplicates, and write the
 * audit log. Relies on the transaction running alone.
 */
export function recordChanges(rows: DirectoryRows, actor: Actor, source: ChangeSource): RecordedChanges {
  const { clock, randomness } = source;
  let mirrored = false;
  let written = 0;

  const write = async (action: string, subject: string, before: unknown, after: unknown): Promise<void> => {
    const entry: AuditEntry = {
      // Counted, so that what one change did is listed in the order it was done.
      id: `${String(written++).padStart(4, "0")}${randomness.id()}`,
      version: 1,
      createdAt: clock.now(),
      actor: actor.name,
      address: actor.address,
      action,
      subject,
      before,
      after,
    };
    await rows.insert("audit", entry);
  };
  const known = async <K extends DirectoryKind>(kind: K, id: string): Promise<DirectoryEntities[K]> => {
    const thing = await rows.get(kind, id);
    if (thing === undefined) throw new GatewayError("not_found", `There is no ${kind} ${JSON.stringify(id)}.`);
    return thing;
  };
  const touched = (kind: DirectoryKind): void => {
    mirrored ||= kindSpec(kind).mirrored;
  };

  const changes: DirectoryChanges = {
    get: (kind, id) => rows.get(kind, id),
    find: (kind, index, value) => rows.find(kind, index, value),
    list: (kind, page) => rows.list(kind, page),
    async insert(kind, draft, action) {
      const stored: Stored = { id: draft.id ?? randomness.id(), version: 1, createdAt: clock.now() };
      const thing = { ...draft, ...stored } as DirectoryEntities[typeof kind];
      if (draft.id !== undefined && (await rows.get(kind, draft.id)) !== undefined) {
        throw new GatewayError("conflict", `There is a ${kind} ${JSON.stringify(draft.id)} already.`, { param: "id" });
      }
      await refuseDuplicates(rows, kind, thing);
      await rows.insert(kind, thing);
      await write(action ?? `${kind}.created`, `${kind}:${thing.id}`, undefined, shown(kind, thing));
      touched(kind);
      return thing;
    },
    async update(kind, thing, action) {
      const old = await known(kind, thing.id);
      if (old.version !== thing.version) {
        const message = `The ${kind} was changed by somebody else meanwhile. Read it again and repeat the change.`;
        throw new GatewayError("conflict", message, { param: "version" });
      }
      const next = { ...thing, version: old.version + 1, createdAt: old.createdAt };
      await refuseDuplicates(rows, kind, next);
      await rows.replace(kind, next);
      if (kindSpec(kind).audited === "all") {
        await write(action ?? `${kind}.updated`, `${kind}:${thing.id}`, shown(kind, old), shown(kind, next));
      }
      touched(kind);
      return next;
    },
    async remove(kind, id, action) {
      const old = await known(kind, id);
      await rows.remove(kind, id);
      await write(action ?? `${kind}.deleted`, `${kind}:${id}`, shown(kind, old), undefined);
      touched(kind);
    },
    note: (action, subject, details) => write(action, subject, undefined, details),
  };
  return { changes, touchedMirrored: () => mirrored };
}
