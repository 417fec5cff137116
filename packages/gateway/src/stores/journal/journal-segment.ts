import { join } from "node:path";

/** One file of a journal. */
export interface JournalSegment {
  readonly number: number;
  readonly path: string;
  /** Bytes of whole lines. */
  size: number;
  /** Lines that are still needed: begins that did not settle, settles the database has not taken. */
  needed: number;
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${number}.jsonl`);
}

/** Numbers of the segments among a folder's file names, ascending. */
export function segmentNumbers(names: readonly string[]): number[] {
  return names.flatMap((name) => (/^\d+\.jsonl$/.test(name) ? Number.parseInt(name, 10) : [])).sort((a, b) => a - b);
}
