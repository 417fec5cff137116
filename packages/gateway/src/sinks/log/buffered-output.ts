import { writeSync } from "node:fs";

/** Longest time a line waits, so that a burst costs one system call. */
const lingerMs = 25;
/** Lines beyond this are dropped, oldest first, rather than letting a stuck reader grow memory. */
const maxLines = 50_000;

/** A pino destination that writes in batches, off the request path. */
export class BufferedOutput {
  readonly #descriptor: number;
  readonly #format: (line: string) => string;
  #lines: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(descriptor: number, format: (line: string) => string = (line) => line) {
    this.#descriptor = descriptor;
    this.#format = format;
  }

  write(line: string): void {
    if (this.#lines.length >= maxLines) this.#lines.shift();
    this.#lines.push(line);
    this.#timer ??= setTimeout(() => this.flush(), lingerMs);
  }

  /** Writes what is queued before it returns. A reader that is gone or full loses lines, never the process. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const text = this.#lines.map(this.#format).join("");
    this.#lines = [];
    const bytes = new TextEncoder().encode(text);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
    } catch {
      // EPIPE or EAGAIN: nobody reads, or not fast enough.
    }
  }
}
