import { GatewayError } from "../core/errors.ts";

/** One server-sent event. `event` is undefined when the frame had no `event:` line. */
export interface SseEvent {
  readonly event: string | undefined;
  readonly data: string;
}

/** Reads server-sent events out of a body that arrives in arbitrary pieces. */
export interface SseReader {
  /**
   * Returns the events that these bytes complete, in order.
   * @throws GatewayError `bad_upstream_response` when one event grows beyond the limit.
   */
  push(bytes: Uint8Array): SseEvent[];
  /** Returns the last event when the body ended without its blank line. */
  end(): SseEvent[];
}

/** Largest event that a reader takes unless it is told otherwise, in characters. */
export const defaultMaxEventChars = 16 * 1024 * 1024;

/**
 * Makes a reader of one body. Every request; synchronous; linear in the body's length however it is cut.
 * Lines may end with LF, CR or CRLF; comments, `id` and `retry` are skipped; a byte order mark is ignored.
 * @see docs/spec/wire-formats.md 0.7
 */
export function sseReader(maxEventChars = defaultMaxEventChars): SseReader {
  return new IncrementalSseReader(maxEventChars);
}

class IncrementalSseReader implements SseReader {
  // `ignoreBOM` keeps the mark, so that only the body's first character is dropped.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #maxEventChars: number;
  #atStart = true;
  /** Beginning of a line whose end has not arrived. Only appended to, so that the string stays a rope. */
  #rest = "";
  /** The last piece ended with CR: a LF that comes next belongs to it. */
  #afterCr = false;
  #event: string | undefined;
  #data: string | undefined;

  constructor(maxEventChars: number) {
    this.#maxEventChars = maxEventChars;
  }

  push(bytes: Uint8Array): SseEvent[] {
    return this.#read(this.#decoder.decode(bytes, { stream: true }));
  }

  end(): SseEvent[] {
    const events = this.#read(this.#decoder.decode());
    if (this.#rest !== "") {
      this.#line(this.#rest, events);
      this.#rest = "";
    }
    this.#line("", events);
    return events;
  }

  #read(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (text === "") return events;
    let at = 0;
    if (this.#atStart) {
      this.#atStart = false;
      if (text.charCodeAt(0) === 0xfeff) at = 1;
    }
    if (this.#afterCr && text.charCodeAt(at) === 0x0a) at++;
    this.#afterCr = false;

    let lf = text.indexOf("\n", at);
    let cr = text.indexOf("\r", at);
    while (lf !== -1 || cr !== -1) {
      const endsWithCr = cr !== -1 && (lf === -1 || cr < lf);
      const stop = endsWithCr ? cr : lf;
      const tail = text.slice(at, stop);
      const line = this.#rest === "" ? tail : this.#rest + tail;
      this.#rest = "";
      this.#line(line, events);
      at = stop + 1;
      if (endsWithCr) {
        if (at === text.length) this.#afterCr = true;
        else if (lf === at) at++;
        cr = text.indexOf("\r", at);
      }
      if (lf !== -1 && lf < at) lf = text.indexOf("\n", at);
    }
    if (at < text.length) {
      this.#rest += at === 0 ? text : text.slice(at);
      this.#checkSize(this.#rest.length);
    }
    return events;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === "") {
      if (this.#data !== undefined) events.push({ event: this.#event, data: this.#data });
      this.#event = undefined;
      this.#data = undefined;
      return;
    }
    if (line.startsWith("data:")) {
      const value = line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5);
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
      this.#checkSize(0);
    } else if (line.startsWith("event:")) {
      this.#event = line.slice(line.charCodeAt(6) === 0x20 ? 7 : 6);
    } else if (line === "data") {
      this.#data = this.#data === undefined ? "" : `${this.#data}\n`;
    }
  }

  #checkSize(rest: number): void {
    if (rest + (this.#data?.length ?? 0) > this.#maxEventChars) {
      throw new GatewayError(
        "bad_upstream_response",
        `The upstream sent one stream event of more than ${this.#maxEventChars} characters.`,
      );
    }
  }
}
