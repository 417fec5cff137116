import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, unlinkSync, writeSync } from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import { type JournalSegment, segmentPath } from "./journal-segment.ts";

export interface JournalWriterOptions {
  readonly clock: Clock;
  /** A segment of this size is finished. */
  readonly segmentBytes: number;
  /** Nothing is written beyond this size of all segments together. */
  readonly maxBytes: number;
  /** Told of every line that could not be written, and why. */
  readonly onFault: (fault: unknown) => void;
}

/** Longest time a line waits to be safe from a loss of power. */
const syncMs = 1_000;

const bufferBytes = 64 * 1024;
/** Bytes that one unit of a text may need. */
const largestUnit = 3;

/** Appends lines to the files of one folder, synchronously and without waiting for the disk. */
export class JournalWriter {
  readonly #folder: string;
  readonly #options: JournalWriterOptions;
  readonly #segments: JournalSegment[] = [];
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  #bytes = 0;
  #nextNumber = 1;
  #file: number | undefined;
  #cancelSync: (() => void) | undefined;

  constructor(folder: string, options: JournalWriterOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** The files that are there, the oldest first. */
  get segments(): readonly JournalSegment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Writes one line, newline included, all of it or nothing. Returns where it is, needed once; undefined when it failed. */
  append(line: string): JournalSegment | undefined {
    try {
      const segment = this.#writable();
      if (segment === undefined || this.#file === undefined) return undefined;
      this.#write(this.#file, segment, line);
      segment.needed++;
      this.#cancelSync ??= this.#options.clock.after(syncMs, () => this.#sync());
      if (segment.size >= this.#options.segmentBytes) this.#finish();
      return segment;
    } catch (fault) {
      this.#options.onFault(fault);
      return undefined;
    }
  }

  /** One line of the segment is not needed any more; a finished segment goes with its last needed line. */
  release(segment: JournalSegment): void {
    segment.needed--;
    if (segment.needed > 0 || (segment === this.#segments.at(-1) && this.#file !== undefined)) return;
    this.#remove(segment);
  }

  /** Waits for the disk and closes the file; removes what is not needed. */
  close(): void {
    this.#cancelSync?.();
    this.#cancelSync = undefined;
    if (this.#file !== undefined) {
      try {
        fdatasyncSync(this.#file);
      } catch (fault) {
        this.#options.onFault(fault);
      }
      closeSync(this.#file);
      this.#file = undefined;
    }
    for (const segment of [...this.#segments]) if (segment.needed <= 0) this.#remove(segment);
  }

  #writable(): JournalSegment | undefined {
    if (this.#bytes >= this.#options.maxBytes) {
      this.#options.onFault(new Error("the journal has reached storage.journalMaxBytes"));
      return undefined;
    }
    const current = this.#segments.at(-1);
    if (this.#file !== undefined && current !== undefined) return current;
    const number = this.#nextNumber;
    const path = segmentPath(this.#folder, number);
    this.#file = openSync(path, "a", 0o600);
    this.#nextNumber++;
    const segment = { number, path, size: 0, needed: 0 };
    this.#segments.push(segment);
    return segment;
  }

  #write(file: number, segment: JournalSegment, line: string): void {
    // Encoding into a buffer that is there already costs a third of handing the text to the system call.
    const fits = line.length * largestUnit <= this.#buffer.length;
    const buffer = fits ? this.#buffer : Buffer.from(line);
    const bytes = fits ? buffer.write(line) : buffer.length;
    try {
      const written = writeSync(file, buffer, 0, bytes);
      if (written < bytes) throw new Error("the disk is full");
      segment.size += bytes;
      this.#bytes += bytes;
    } catch (fault) {
      this.#undo(file, segment);
      throw fault;
    }
  }

  /** Takes half a line away; where even that fails, nothing more is written behind it. */
  #undo(file: number, segment: JournalSegment): void {
    try {
      ftruncateSync(file, segment.size);
    } catch {
      this.#finish();
    }
  }

  #finish(): void {
    const file = this.#file;
    const segment = this.#segments.at(-1);
    this.#file = undefined;
    if (file !== undefined) {
      fdatasync(file, (fault) => {
        if (fault) this.#options.onFault(fault);
        closeSync(file);
      });
    }
    if (segment !== undefined && segment.needed <= 0) this.#remove(segment);
  }

  #sync(): void {
    this.#cancelSync = undefined;
    if (this.#file === undefined) return;
    const file = this.#file;
    fdatasync(file, (fault) => {
      // A file that was finished and closed meanwhile was synced then.
      if (fault && this.#file === file) this.#options.onFault(fault);
    });
  }

  #remove(segment: JournalSegment): void {
    const index = this.#segments.indexOf(segment);
    if (index < 0) return;
    this.#segments.splice(index, 1);
    this.#bytes -= segment.size;
    try {
      unlinkSync(segment.path);
    } catch {
      // Read again at the next start, it changes nothing: its rows are stored.
    }
  }
}
