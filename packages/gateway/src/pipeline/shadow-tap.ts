import { emptyReplyState } from "../codecs/codec.ts";
import { protocols } from "../codecs/registry.ts";
import { parseReply } from "./parse-reply.ts";
import { ReadAlong, type Tap } from "./read-along.ts";
import { AnswerCollector, type ComparedAnswer } from "./shadow-answer.ts";

/** Reads an answer along, to compare it with another. Never throws: one that cannot be read is not compared. */
export class AnswerTap implements Tap {
  readonly #dialect: keyof typeof protocols;
  readonly #collector = new AnswerCollector();
  readonly #reader: ReadAlong;
  #isUnreadable = false;

  constructor(dialect: keyof typeof protocols) {
    this.#dialect = dialect;
    this.#reader = new ReadAlong(dialect, (event) => this.#collector.push(event));
  }

  /** A piece of a stream. */
  push(text: string): void {
    this.#reader.push(text);
  }

  /** A whole answer's body. */
  whole(body: string): void {
    try {
      this.#collector.whole(protocols[this.#dialect].decodeResponse(parseReply(body), emptyReplyState));
    } catch {
      this.#isUnreadable = true;
    }
  }

  answer(): ComparedAnswer | undefined {
    return this.#isUnreadable || this.#reader.isUnreadable ? undefined : this.#collector.answer();
  }
}
