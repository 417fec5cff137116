import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { GatewayError } from "../../core/errors.ts";
import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { LedgerBegin, LedgerStore } from "../../ledger/ledger-store.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Randomness } from "../../lib/ids.ts";
import { type FolderLock, lockFolder } from "./folder-lock.ts";
import { encodeBegin, settleLine } from "./journal-line.ts";
import type { JournalSegment } from "./journal-segment.ts";
import { JournalWriter } from "./journal-writer.ts";
import { JournaledRow } from "./journaled-row.ts";
import { readSegment } from "./read-segment.ts";
import { findDeadFolders, recoverFolder } from "./recover-journals.ts";
import { RowStorer } from "./row-storer.ts";

export interface JournalLedgerOptions {
  /** Storage folder; several gateways may share it. */
  readonly dir: string;
  /** Gives the database, or rejects while it cannot be reached. Asked before every batch: keep what it gives. */
  readonly database: () => Promise<LedgerDatabase>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly journalMaxBytes: number;
  readonly whenUnwritable: "serve" | "refuse";
  /** Something the operator must know: once per outage, not once per row. */
  readonly alert: (error: GatewayError) => void;
  readonly segmentBytes?: number;
  /** Rows that wait in memory; more wait in the journal only. */
  readonly queueRows?: number;
  readonly batchRows?: number;
  readonly batchMs?: number;
  /** Longest time `flush` and `close` take. */
  readonly flushMs?: number;
}

/** How far the database is behind. */
export interface JournalStatus {
  /** Settled rows that are not in the database, in memory and in the journal only. */
  readonly queued: number;
  readonly journalBytes: number;
  /** Age of the oldest of them; 0 when there is none. */
  readonly oldestUnstoredMs: number;
  readonly databaseUp: boolean;
  /** Rows lost because neither journal nor memory had room, since the start. */
  readonly dropped: number;
  /** Rows that the database refused, put aside in `rejected.jsonl`. */
  readonly rejected: number;
}

interface Queued {
  readonly row: LedgerRow;
  readonly acceptedMs: number;
  /** What in the journal is needed until the row is stored; undefined when the journal took nothing of it. */
  readonly segment: JournalSegment | undefined;
}

/** Where in the journal the rows begin that memory had no room for. */
interface Spill {
  number: number;
  offset: number;
  rows: number;
  readonly sinceMs: number;
}

const alertEveryMs = 60_000;

function ownFolder(root: string, randomness: Randomness): { path: string; lock: FolderLock } {
  for (let tries = 0; tries < 5; tries++) {
    const path = join(root, randomness.id());
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const lock = lockFolder(path);
    // Another process may take the new folder for a dead one's in the moment before it is locked.
    if (lock !== undefined) return { path, lock };
  }
  throw new GatewayError("ledger_unavailable", "No folder for the ledger's journal could be made and locked.");
}

/**
 * Keeps the ledger without ever waiting: each write is one append to a journal file; batches go to the database behind
 * it. Whatever was settled survives the death of the process, and the database's absence. Made once per process.
 */
export class JournalLedger implements LedgerStore {
  readonly #options: Required<JournalLedgerOptions>;
  readonly #root: string;
  readonly #folder: { readonly path: string; readonly lock: FolderLock };
  readonly #writer: JournalWriter;
  readonly #storer: RowStorer;
  /** Segments of exchanges that began and did not settle. */
  readonly #running = new Map<string, JournalSegment>();
  #queue: Queued[] = [];
  #spill: Spill | undefined;
  #draining = false;
  #recovery: Promise<void> = Promise.resolve();
  #cancelDelay: (() => void) | undefined;
  #accepted = 0;
  #done = 0;
  #dropped = 0;
  #unwritable = false;
  #alertedMs = Number.NEGATIVE_INFINITY;
  #waiting: { readonly until: number; readonly resolve: () => void }[] = [];
  #closed = false;

  /** @throws when the folder cannot be made: a start that fails is better than a ledger that cannot be kept */
  constructor(options: JournalLedgerOptions) {
    const defaults = { segmentBytes: 8 << 20, queueRows: 10_000, batchRows: 500, batchMs: 200, flushMs: 3_000 };
    this.#options = { ...defaults, ...options };
    const { clock, randomness, database, alert, segmentBytes, journalMaxBytes } = this.#options;
    this.#root = join(options.dir, "journal");
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    this.#folder = ownFolder(this.#root, randomness);
    const onFault = (fault: unknown): void => this.#cannotWrite(fault);
    this.#writer = new JournalWriter(this.#folder.path, { clock, segmentBytes, maxBytes: journalMaxBytes, onFault });
    const rejectedPath = join(this.#root, "rejected.jsonl");
    this.#storer = new RowStorer({ database, clock, randomness, rejectedPath, alert });
  }

  /** Stores what dead processes left in the same folder; returns at once. `recovered` tells when that is done. */
  recover(): void {
    const folders = findDeadFolders(this.#root, this.#folder.path, this.#options.clock.now());
    this.#recovery = folders.reduce(
      (before, folder) =>
        before.then(async () => {
          await recoverFolder(folder, (rows) => this.#storer.store(rows));
        }),
      this.#recovery,
    );
    this.#recovery = this.#recovery.catch((cause: unknown) => {
      const message = "The journal of an earlier process cannot be read.";
      this.#options.alert(new GatewayError("ledger_unavailable", message, { cause }));
    });
  }

  get recovered(): Promise<void> {
    return this.#recovery;
  }

  begin(entry: LedgerBegin): void {
    const segment = this.#writer.append(encodeBegin(entry));
    if (segment !== undefined) {
      this.#unwritable = false;
      const earlier = this.#running.get(entry.id);
      this.#running.set(entry.id, segment);
      if (earlier !== undefined) this.#writer.release(earlier);
      return;
    }
    const hasRoom = this.#storer.databaseUp && this.#queue.length < this.#options.queueRows;
    if (this.#options.whenUnwritable === "refuse" && !hasRoom) {
      throw new GatewayError("ledger_unavailable", "This request cannot be accounted for right now. Try again later.");
    }
  }

  settle(record: ExchangeRecord): void {
    const json = JSON.stringify(record);
    const written = this.#writer.append(settleLine(json));
    const began = this.#running.get(record.id);
    this.#running.delete(record.id);
    if (written !== undefined && began !== undefined) this.#writer.release(began);
    // Where only the begin is written it stays until the row is stored: an estimate is better than nothing.
    const segment = written ?? began;
    this.#accepted++;
    const hasRoom = this.#queue.length < this.#options.queueRows;
    if (written !== undefined && (this.#spill !== undefined || !hasRoom)) this.#spillOver(written, json);
    else if (hasRoom) {
      const acceptedMs = this.#options.clock.now();
      this.#queue.push({ row: new JournaledRow(json), acceptedMs, segment });
    } else this.#drop();
    this.#schedule();
  }

  async flush(): Promise<void> {
    const until = this.#accepted;
    if (this.#done >= until) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(this.#options.flushMs, resolve);
      const stored = (): void => {
        cancel();
        resolve();
      };
      this.#waiting.push({ until, resolve: stored });
      this.#cancelDelay?.();
      this.#cancelDelay = undefined;
      this.#drain();
    });
  }

  /** What is not stored stays in the journal, for whoever starts next in the same folder. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.flush();
    this.#closed = true;
    this.#cancelDelay?.();
    this.#storer.stop();
    this.#writer.close();
    this.#folder.lock.release();
    if (this.#writer.segments.length === 0) rmSync(this.#folder.path, { recursive: true, force: true });
  }

  get status(): JournalStatus {
    const oldest = this.#queue[0]?.acceptedMs ?? this.#spill?.sinceMs;
    return {
      queued: this.#accepted - this.#done,
      journalBytes: this.#writer.bytes,
      oldestUnstoredMs: oldest === undefined ? 0 : Math.max(0, this.#options.clock.now() - oldest),
      databaseUp: this.#storer.databaseUp,
      dropped: this.#dropped,
      rejected: this.#storer.rejected,
    };
  }

  /** Once a row is in the journal only, later rows follow it there until all of them were read back. */
  #spillOver(segment: JournalSegment, json: string): void {
    if (this.#spill !== undefined) {
      this.#spill.rows++;
      return;
    }
    const offset = segment.size - Buffer.byteLength(settleLine(json));
    this.#spill = { number: segment.number, offset, rows: 1, sinceMs: this.#options.clock.now() };
  }

  #drop(): void {
    this.#dropped++;
    this.#finished(1);
    this.#cannotWrite(new Error("no room in memory either: a ledger row is lost"));
  }

  #cannotWrite(cause: unknown): void {
    const nowMs = this.#options.clock.now();
    if (this.#unwritable && nowMs - this.#alertedMs < alertEveryMs) return;
    this.#unwritable = true;
    this.#alertedMs = nowMs;
    const message = "The ledger's journal cannot be written; rows wait in memory only.";
    this.#options.alert(new GatewayError("ledger_unavailable", message, { cause }));
  }

  #schedule(): void {
    if (this.#draining || this.#closed) return;
    if (this.#queue.length >= this.#options.batchRows) {
      this.#cancelDelay?.();
      this.#cancelDelay = undefined;
      this.#drain();
      return;
    }
    this.#cancelDelay ??= this.#options.clock.after(this.#options.batchMs, () => {
      this.#cancelDelay = undefined;
      this.#drain();
    });
  }

  #drain(): void {
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    this.#drainAll()
      .catch((fault: unknown) => this.#cannotWrite(fault))
      .finally(() => {
        this.#draining = false;
        if (this.#accepted > this.#done) this.#schedule();
      });
  }

  async #drainAll(): Promise<void> {
    while (!this.#closed && (this.#queue.length > 0 || this.#spill !== undefined)) {
      const stored = this.#queue.length > 0 ? await this.#storeQueued() : await this.#storeSpilled();
      if (!stored) return;
      // Few rows are worth waiting for more, unless somebody waits for them.
      const few = this.#spill === undefined && this.#queue.length < this.#options.batchRows;
      if (few && !this.#isAwaited) return;
    }
  }

  async #storeQueued(): Promise<boolean> {
    const batch = this.#queue.slice(0, this.#options.batchRows);
    if (!(await this.#storer.store(batch.map(({ row }) => row)))) return false;
    this.#queue = this.#queue.slice(batch.length);
    for (const { segment } of batch) if (segment !== undefined) this.#writer.release(segment);
    this.#finished(batch.length);
    return true;
  }

  /** Reads the next batch back from the journal. */
  async #storeSpilled(): Promise<boolean> {
    const spill = this.#spill;
    if (spill === undefined) return true;
    const rows: LedgerRow[] = [];
    const segments: JournalSegment[] = [];
    let [number, offset] = [spill.number, spill.offset];
    reading: for (const segment of [...this.#writer.segments]) {
      if (segment.number < spill.number) continue;
      offset = segment.number === spill.number ? spill.offset : 0;
      number = segment.number;
      for await (const { line, end } of readSegment(segment.path, offset, segment.size)) {
        offset = end;
        if (line.kind !== "settle") continue;
        rows.push({ record: line.record, orphaned: false });
        segments.push(segment);
        if (rows.length >= this.#options.batchRows) break reading;
      }
    }
    if (rows.length === 0) {
      this.#giveUpSpill(spill);
      return true;
    }
    if (!(await this.#storer.store(rows))) return false;
    spill.number = number;
    spill.offset = offset;
    spill.rows -= rows.length;
    if (spill.rows <= 0) this.#spill = undefined;
    for (const segment of segments) this.#writer.release(segment);
    this.#finished(rows.length);
    return true;
  }

  /** Lines that were written and cannot be read any more: the file was damaged from outside. */
  #giveUpSpill(spill: Spill): void {
    this.#spill = undefined;
    this.#dropped += spill.rows;
    this.#cannotWrite(new Error(`${spill.rows} ledger rows of the journal cannot be read`));
    this.#finished(spill.rows);
  }

  /** Somebody waits in `flush`, or did until its time was over. */
  get #isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  #finished(rows: number): void {
    this.#done += rows;
    for (const { until, resolve } of this.#waiting) if (this.#done >= until) resolve();
    this.#waiting = this.#waiting.filter(({ until }) => until > this.#done);
  }
}
