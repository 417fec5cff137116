import type { ServerResponse } from "node:http";
import { constants, createGzip, type Gzip } from "node:zlib";
import type { Fault } from "./fault.ts";
import type { Hit } from "./hit-log.ts";
import { breathe, Gone, pause } from "./pause.ts";

const SLICE_BYTES = 64 * 1024;
const CUT_GRACE_MS = 30;

/** Thrown after the socket was destroyed on purpose. */
export class Cut extends Error {
  override readonly name = "Cut";
}

/** Writes one response and bends its bytes as the fault says; waits for a slow reader. */
export class BodyWriter {
  readonly #res: ServerResponse;
  readonly #fault: Fault | null;
  readonly #hit: Hit;
  readonly #signal: AbortSignal;
  /** Called when the head and when the first body byte went out. */
  readonly #progressed: () => void;
  #gzip: Gzip | null = null;
  /** Set before a regular end, so that a later close is not taken for an abort. */
  finished = false;

  constructor(res: ServerResponse, fault: Fault | null, hit: Hit, signal: AbortSignal, progressed: () => void) {
    this.#progressed = progressed;
    this.#res = res;
    this.#fault = fault;
    this.#hit = hit;
    this.#signal = signal;
  }

  get headersSent(): boolean {
    return this.#res.headersSent;
  }

  /** Sends the head at once, before any body byte. */
  head(status: number, headers: Readonly<Record<string, string>>): void {
    this.#hit.status = status;
    const all: Record<string, string> = { ...headers };
    if (this.#fault?.gzip) {
      delete all["content-length"];
      all["content-encoding"] = "gzip";
      this.#gzip = createGzip();
    }
    this.#res.writeHead(status, all);
    this.#res.flushHeaders();
    this.#progressed();
  }

  /** Writes text; resolves when the kernel or the buffer has room again. */
  async text(text: string): Promise<void> {
    const bent = this.#fault?.crlf ? text.replace(/\r?\n/g, "\r\n") : text;
    const plain = Buffer.from(bent);
    await this.#bytes(this.#gzip === null ? plain : await compress(this.#gzip, plain));
  }

  /** Ends the response cleanly. */
  async end(): Promise<void> {
    if (this.#gzip !== null) await this.#bytes(await compress(this.#gzip, null));
    if (this.#fault?.cutAtByte === this.#hit.bytesSent) await this.#destroy();
    this.finished = true;
    this.#res.end();
  }

  async #bytes(bytes: Buffer): Promise<void> {
    const cutAt = this.#fault?.cutAtByte ?? Number.POSITIVE_INFINITY;
    const room = cutAt - this.#hit.bytesSent;
    const kept = bytes.length > room ? bytes.subarray(0, room) : bytes;
    const step = this.#fault?.oneByte ? 1 : SLICE_BYTES;
    for (let at = 0; at < kept.length; at += step) {
      await this.#send(kept.subarray(at, at + step));
      if (step === 1) await breathe(this.#signal);
    }
    if (bytes.length > room) await this.#destroy();
  }

  async #send(bytes: Buffer): Promise<void> {
    if (this.#signal.aborted || this.#res.destroyed) throw new Gone();
    const first = this.#hit.firstByteAt === null;
    if (first) this.#hit.firstByteAt = performance.now();
    this.#hit.bytesSent += bytes.length;
    if (first) this.#progressed();
    if (this.#res.write(bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const clear = () => {
        this.#res.off("drain", drained);
        this.#signal.removeEventListener("abort", leave);
      };
      const drained = () => {
        clear();
        resolve();
      };
      const leave = () => {
        clear();
        reject(new Gone());
      };
      this.#res.once("drain", drained);
      this.#signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Breaks the connection once the peer could read what was written: a reset right behind the bytes can swallow them. */
  async #destroy(): Promise<never> {
    await pause(CUT_GRACE_MS, this.#signal);
    this.finished = true;
    this.#res.socket?.destroy();
    throw new Cut();
  }
}

/** Compresses one piece and flushes it, or ends the stream for `null`. */
function compress(gzip: Gzip, bytes: Buffer | null): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const collect = (part: Buffer) => parts.push(part);
    const done = () => {
      gzip.off("data", collect);
      gzip.off("error", fail);
      resolve(Buffer.concat(parts));
    };
    const fail = (error: Error) => reject(error);
    gzip.on("data", collect);
    gzip.once("error", fail);
    if (bytes === null) {
      gzip.once("end", done);
      gzip.end();
    } else {
      gzip.write(bytes);
      gzip.flush(constants.Z_SYNC_FLUSH, done);
    }
  });
}
