import { connect, type Socket } from "node:net";

/** A connection that says what no HTTP client would. */
export class RawSocket {
  readonly socket: Socket;
  received = "";
  readonly #closed: Promise<void>;
  readonly #waiting = new Set<() => void>();

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port) });
    this.socket.setEncoding("utf8");
    this.socket.on("data", (text: string) => {
      this.received += text;
      for (const wake of [...this.#waiting]) wake();
    });
    this.socket.on("error", () => {});
    this.#closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    void this.#closed.then(() => {
      for (const wake of [...this.#waiting]) wake();
    });
  }

  write(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** Resolves when what was received matches, or at the close; returns it. */
  async until(pattern: RegExp, timeoutMs = 8_000): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${timeoutMs} ms passed, received: ${JSON.stringify(this.received.slice(0, 500))}`)),
        timeoutMs,
      );
      const look = (): void => {
        if (!pattern.test(this.received) && !this.socket.destroyed) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
    return this.received;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
