/** `ask` wants an answer, `tell` does not; `answer` and `fault` settle the ask of the same number. */
type Frame = readonly ["ask" | "tell" | "answer" | "fault", id: number, op: string, body: unknown];

/** More asks than this without an answer mean that the other side is stuck. */
const mostWaiting = 5_000;

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One end of the channel between a worker and the process that started it. What is sent within one turn of the event loop
 * travels together; order is kept. Bodies are plain data, as JSON has them.
 */
export class WorkerChannel {
  readonly #send: (frames: unknown) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #handlers = new Map<string, (body: unknown) => unknown>();
  #out: Frame[] = [];
  #nextId = 1;
  #closed: Error | undefined;

  /** `send` takes frames to the other end, or throws when there is none. */
  constructor(send: (frames: unknown) => void) {
    this.#send = send;
  }

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  /** Rejects when the other end refuses, or is gone; it may take for ever. */
  ask(op: string, body: unknown = null): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#waiting.size >= mostWaiting) return Promise.reject(new Error("too many questions wait for an answer"));
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#post(["ask", id, op, body]);
    return promise;
  }

  /** Lost when the other end is gone. */
  tell(op: string, body: unknown = null): void {
    if (this.#closed === undefined) this.#post(["tell", 0, op, body]);
  }

  /** One handler for each kind of question; what it throws, the other end is told. */
  on(op: string, handler: (body: unknown) => unknown): void {
    this.#handlers.set(op, handler);
  }

  receive(message: unknown): void {
    // What a process that ended had still sent is nobody's any more: a turn that was given to it would never end.
    if (this.#closed !== undefined || !Array.isArray(message)) return;
    for (const frame of message as Frame[]) this.#take(frame);
  }

  close(why: string): void {
    this.#closed ??= new Error(why);
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    this.#waiting.clear();
  }

  #take([kind, id, op, body]: Frame): void {
    if (kind === "answer" || kind === "fault") {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (kind === "answer") waiting?.resolve(body);
      else waiting?.reject(new Error(String(body)));
      return;
    }
    try {
      const handler = this.#handlers.get(op);
      if (handler === undefined) throw new Error(`nobody answers to ${op}`);
      const answer = handler(body);
      if (answer instanceof Promise) {
        answer.then(
          (value: unknown) => this.#answer(id, value),
          (thrown: unknown) => this.#fault(id, thrown),
        );
      } else this.#answer(id, answer);
    } catch (thrown) {
      this.#fault(id, thrown);
    }
  }

  #answer(id: number, body: unknown): void {
    if (id !== 0) this.#post(["answer", id, "", body ?? null]);
  }

  #fault(id: number, thrown: unknown): void {
    if (id !== 0) this.#post(["fault", id, "", thrown instanceof Error ? thrown.message : String(thrown)]);
  }

  #post(frame: Frame): void {
    if (this.#out.length === 0) queueMicrotask(() => this.#flush());
    this.#out.push(frame);
  }

  #flush(): void {
    const frames = this.#out;
    this.#out = [];
    if (this.#closed !== undefined) return;
    try {
      this.#send(frames);
    } catch (thrown) {
      this.close(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
}
