import { open } from "node:fs/promises";
import { decodeLine, type JournalLine } from "./journal-line.ts";

const chunkBytes = 256 * 1024;
/** A longer line is damage: no record comes near. */
const maxLineBytes = 16 * 1024 * 1024;
const newline = 0x0a;

export interface PositionedLine {
  readonly line: JournalLine;
  /** Offset right behind the line. */
  readonly end: number;
}

/**
 * Reads whole lines of a journal file from `start` to at most `end`, in order, a chunk at a time. What a crash cut or
 * damaged is left out.
 */
export async function* readSegment(
  path: string,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<PositionedLine> {
  const file = await open(path, "r");
  try {
    let rest = Buffer.alloc(0);
    let offset = start;
    while (offset < end) {
      const wanted = Math.min(chunkBytes, end - offset);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let from = 0;
      for (let to = rest.indexOf(newline); to >= 0; to = rest.indexOf(newline, from)) {
        const line = decodeLine(rest.toString("utf8", from, to));
        from = to + 1;
        if (line !== undefined) yield { line, end: offset - rest.length + from };
      }
      rest = rest.subarray(from);
      if (rest.length > maxLineBytes) rest = Buffer.alloc(0);
    }
  } finally {
    await file.close();
  }
}
