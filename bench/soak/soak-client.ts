import type { Socket } from "bun";
import { type Fate, type Script, scriptText } from "./stream-script.ts";

/** How one stream ended, as its client saw it. */
export type Ending = "done" | "error-in-stream" | "error-status" | "cut" | "left";

/** Every stream that was begun, by what was to befall it and how it ended. */
export interface Tally {
  sent: number;
  /** `<fate> → <ending>` → count. */
  readonly endings: Map<string, number>;
  /** Neither answered nor told an error, or with text missing or twice. */
  readonly lost: string[];
  /** Streams that were silent for longer than `starvedMs` while they should have run. */
  starved: number;
  longestGapMs: number;
  chunks: number;
}

export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  readonly key: string | undefined;
  readonly random: () => number;
  /** Chunks of the longest stream. */
  readonly chunks: number;
  /** Share of streams that something befalls, and that their clients leave. */
  readonly faultShare: number;
  readonly leaveShare: number;
}

const starvedMs = 2_000;
const fates: readonly Fate[] = ["cut", "stall", "error", "refused", "silent-end"];

interface Stream {
  readonly script: Script;
  /** The client leaves after so many chunks; never where undefined. */
  readonly leaveAt: number | undefined;
  text: string;
  next: number;
  beganMs: number;
  heardMs: number;
  ended: boolean;
}

export const newTally = (): Tally => ({
  sent: 0,
  endings: new Map(),
  lost: [],
  starved: 0,
  longestGapMs: 0,
  chunks: 0,
});

/** Keeps one stream open after the other on connections of its own, until `stop`. */
export class SoakClient {
  readonly #options: ClientOptions;
  readonly #tally: Tally;
  #stopping = false;
  #open = 0;
  #idle: (() => void) | undefined;

  constructor(options: ClientOptions, tally: Tally) {
    this.#options = options;
    this.#tally = tally;
  }

  get open(): number {
    return this.#open;
  }

  /** Begins one line of streams. */
  start(): void {
    this.#open++;
    void this.#next();
  }

  /** Lets running streams end and begins no more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #draw(): Stream {
    const { random, chunks, faultShare, leaveShare } = this.#options;
    const count = Math.max(5, Math.floor(chunks * (0.3 + 0.7 * random())));
    const fate = random() < faultShare ? (fates[Math.floor(random() * fates.length)] ?? "cut") : "whole";
    const leaveAt = random() < leaveShare ? Math.floor(random() * count) : undefined;
    const script = { chunks: count, fate, at: Math.floor(random() * count) };
    const nowMs = performance.now();
    return { script, leaveAt, text: "", next: 0, beganMs: nowMs, heardMs: nowMs, ended: false };
  }

  async #next(): Promise<void> {
    if (this.#stopping) {
      this.#open--;
      if (this.#open === 0) this.#idle?.();
      return;
    }
    const stream = this.#draw();
    const { host, port, key } = this.#options;
    const content = scriptText(stream.script);
    const body = JSON.stringify({ model: "soak", stream: true, messages: [{ role: "user", content }] });
    const authorization = key === undefined ? "" : `authorization: Bearer ${key}\r\n`;
    const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: soak\r\ncontent-type: application/json\r\n${authorization}connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    this.#tally.sent++;
    try {
      await Bun.connect({
        hostname: host,
        port,
        socket: {
          open: (socket) => void socket.write(request),
          data: (socket, bytes) => this.#heard(stream, socket, bytes),
          close: () => this.#end(stream, stream.ended ? undefined : this.#endingOf(stream)),
          error: () => {},
          connectError: () => this.#end(stream, "cut"),
        },
      });
    } catch {
      this.#end(stream, "cut");
    }
  }

  #heard(stream: Stream, socket: Socket, bytes: Buffer): void {
    const nowMs = performance.now();
    const gapMs = nowMs - stream.heardMs;
    stream.heardMs = nowMs;
    if (stream.next > 0 && gapMs > this.#tally.longestGapMs && stream.script.fate !== "stall")
      this.#tally.longestGapMs = gapMs;
    if (stream.next > 0 && gapMs > starvedMs && stream.script.fate !== "stall") this.#tally.starved++;
    stream.text += bytes.toString("latin1");
    // Words are numbers in order: one that is missing or comes twice is seen at once.
    let from = 0;
    for (;;) {
      const at = stream.text.indexOf('"content":"', from);
      if (at === -1) break;
      const close = stream.text.indexOf('"', at + 11);
      if (close === -1) break;
      if (close > at + 11) {
        const index = Number(stream.text.slice(at + 11, close));
        if (index !== stream.next)
          this.#tally.lost.push(`${scriptText(stream.script)} word ${index} instead of ${stream.next}`);
        stream.next = index + 1;
        this.#tally.chunks++;
      }
      from = close;
    }
    // What may still be needed: an event that is not complete yet, or the end.
    const keep = stream.text.lastIndexOf("\n\n");
    const tail = stream.text.slice(Math.max(from, keep - 400, 0));
    stream.text = tail;
    if (stream.leaveAt !== undefined && stream.next > stream.leaveAt) {
      this.#end(stream, "left");
      socket.terminate();
    }
  }

  #endingOf({ text }: Stream): Ending {
    if (text.includes("[DONE]")) return "done";
    if (/^HTTP\/1\.1 [45]/.test(text)) return "error-status";
    return text.includes('"error"') ? "error-in-stream" : "cut";
  }

  #end(stream: Stream, ending: Ending | undefined): void {
    if (stream.ended || ending === undefined) return;
    stream.ended = true;
    const { script, next } = stream;
    const name = `${script.fate} → ${ending}`;
    this.#tally.endings.set(name, (this.#tally.endings.get(name) ?? 0) + 1);
    const isShort = ending === "done" && next !== script.chunks;
    const isSilent = ending === "cut";
    const isFalse = ending === "done" && script.fate !== "whole" && script.fate !== "refused";
    if (isShort || isSilent || isFalse) this.#tally.lost.push(`${scriptText(script)} ended as ${ending} after ${next}`);
    void this.#next();
  }
}
