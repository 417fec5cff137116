import type { DirectoryReads } from "./directory.ts";
import type { DirectoryEntities, DirectoryKind } from "./directory-entities.ts";

/** What a store must bring for a directory: plain rows inside a transaction that runs alone. */
export interface DirectoryRows extends DirectoryReads {
  insert<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Promise<void>;
  replace<K extends DirectoryKind>(kind: K, thing: DirectoryEntities[K]): Promise<void>;
  remove(kind: DirectoryKind, id: string): Promise<void>;
}

/** Place of a thing in a list, newest first. */
export interface Cursor {
  readonly createdAt: number;
  readonly id: string;
}

export function writeCursor({ createdAt, id }: Cursor): string {
  return Buffer.from(`${createdAt} ${id}`).toString("base64url");
}

/** Undefined for text that no list gave out. */
export function readCursor(text: string): Cursor | undefined {
  const match = /^(\d{1,15}) (.{1,300})$/s.exec(Buffer.from(text, "base64url").toString("utf8"));
  return match === null ? undefined : { createdAt: Number(match[1]), id: match[2] ?? "" };
}
