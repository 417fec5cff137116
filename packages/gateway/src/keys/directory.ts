import type { DirectoryEntities, DirectoryKind } from "./directory-entities.ts";
import type { ListIndex, UniqueIndex } from "./directory-kinds.ts";

/** Who changes something, for the audit log. */
export interface Actor {
  /** `user:<id>`, `operator`, `setup` or `config file`. */
  readonly name: string;
  readonly address: string;
}

export interface PageOf<K extends DirectoryKind> {
  /** 1 to 1,000. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  readonly where?: { readonly [I in ListIndex<K>]?: string | undefined };
}

export interface Listed<T> {
  readonly items: readonly T[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
}

export interface DirectoryReads {
  get<K extends DirectoryKind>(kind: K, id: string): Promise<DirectoryEntities[K] | undefined>;
  find<K extends DirectoryKind>(
    kind: K,
    index: UniqueIndex<K>,
    value: string,
  ): Promise<DirectoryEntities[K] | undefined>;
  /** Newest first. */
  list<K extends DirectoryKind>(kind: K, page: PageOf<K>): Promise<Listed<DirectoryEntities[K]>>;
}

/** A thing to be stored; the directory adds version and time, and an id unless it comes with one. */
export type Draft<K extends DirectoryKind> = Omit<DirectoryEntities[K], "id" | "version" | "createdAt"> & {
  readonly id?: string;
};

export type AuditedKind = Exclude<DirectoryKind, "audit">;

/** Changes of one transaction. Each writes its own audit entry; `action` replaces `<kind>.created` and the like. */
export interface DirectoryChanges extends DirectoryReads {
  /** @throws GatewayError `conflict` when a unique value is taken */
  insert<K extends AuditedKind>(kind: K, draft: Draft<K>, action?: string): Promise<DirectoryEntities[K]>;
  /** @throws GatewayError `conflict` when it changed since `thing` was read, or a unique value is taken; `not_found` */
  update<K extends AuditedKind>(kind: K, thing: DirectoryEntities[K], action?: string): Promise<DirectoryEntities[K]>;
  /** @throws GatewayError `not_found` */
  remove<K extends AuditedKind>(kind: K, id: string, action?: string): Promise<void>;
  /** Notes something that changed nothing stored here. */
  note(action: string, subject: string, details?: unknown): Promise<void>;
}

/**
 * Keys, teams, people and what they may do, durable. Every change and its audit entry are one transaction, and changes
 * run one after another over all replicas, so that what was read inside one still holds at its end.
 * Everything may throw `store_unavailable`.
 */
export interface Directory extends DirectoryReads {
  change<T>(actor: Actor, work: (changes: DirectoryChanges) => Promise<T>): Promise<T>;
  /** Grows with every change of what replicas keep in memory. */
  version(): Promise<number>;
  /** Deletes sessions that began before. */
  pruneSessions(createdBeforeMs: number): Promise<void>;
  /** Deletes entries of the audit log that were made before. */
  pruneAudit(createdBeforeMs: number): Promise<void>;
}
