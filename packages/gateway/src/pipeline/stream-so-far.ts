import type { protocols } from "../codecs/registry.ts";
import type { ChatEvent } from "../core/chat-event.ts";
import { ReadAlong, type Tap } from "./read-along.ts";

/** Longer answers are not gone on with: sending them again costs more than it saves. */
const maxCharacters = 1024 * 1024;

/** The beginning of an answer that another target can go on from. */
export interface BegunAnswer {
  readonly id: string | undefined;
  readonly model: string | undefined;
  readonly text: string;
}

/** Remembers what a client got of a stream, as long as that is nothing but text. */
export class StreamSoFar implements Tap {
  readonly #reader: ReadAlong;
  #id: string | undefined;
  #model: string | undefined;
  #text = "";
  #isPlain = true;

  constructor(dialect: keyof typeof protocols) {
    this.#reader = new ReadAlong(dialect, (event) => this.#note(event));
  }

  push(text: string): void {
    if (this.#isPlain) this.#reader.push(text);
  }

  /** Undefined where the answer cannot be gone on with. */
  get begun(): BegunAnswer | undefined {
    if (!this.#isPlain || this.#reader.isUnreadable) return undefined;
    return { id: this.#id, model: this.#model, text: this.#text };
  }

  #note(event: ChatEvent): void {
    switch (event.type) {
      case "start":
        this.#id ??= event.id;
        this.#model ??= event.model;
        return;
      case "text":
        this.#text += event.text;
        if (this.#text.length > maxCharacters) this.#isPlain = false;
        return;
      case "usage":
      case "ping":
      case "end":
        return;
      default:
        // Reasoning, calls and refusals cannot be given to another model as its own beginning.
        this.#isPlain = false;
    }
  }
}
