import type { ChatCompletion, FinishReason, ToolCall } from "../core/chat.ts";
import type { ChatEvent } from "../core/chat-event.ts";

/** Characters of an answer's text that are held for a comparison, and of all its calls' arguments together. */
export const maxHeldCharacters = 65_536;
const maxCalls = 64;

/** As much of an answer as a comparison needs. It lives only until the copy was compared. */
export interface ComparedAnswer {
  /** The beginning of the text, at most `maxHeldCharacters`. */
  readonly text: string;
  /** Of the whole text. */
  readonly characters: number;
  readonly finish: FinishReason;
  readonly calls: readonly Pick<ToolCall, "name" | "arguments">[];
  /** Something of the calls was left out, so they cannot be compared. */
  readonly callsCut: boolean;
}

/** Puts together what a comparison needs of one answer, in bounded memory. */
export class AnswerCollector {
  #text = "";
  #characters = 0;
  #argumentCharacters = 0;
  #callsCut = false;
  #finish: FinishReason | undefined;
  readonly #calls = new Map<number, { readonly name: string; arguments: string }>();

  push(event: ChatEvent): void {
    switch (event.type) {
      case "text":
      case "refusal":
        this.#addText(event.text);
        return;
      case "tool-call":
        this.#addCall(event.index, event.name);
        return;
      case "tool-arguments":
        this.#addArguments(event.index, event.text);
        return;
      case "finish":
        this.#finish = event.reason;
        return;
      default:
        return;
    }
  }

  whole({ text, refusal, toolCalls, finishReason }: ChatCompletion): void {
    this.#addText(text ?? "");
    this.#addText(refusal ?? "");
    for (const [index, call] of toolCalls.entries()) {
      this.#addCall(index, call.name);
      this.#addArguments(index, call.arguments);
    }
    this.#finish = finishReason;
  }

  /** Undefined while the answer has no end: half an answer is not compared. */
  answer(): ComparedAnswer | undefined {
    if (this.#finish === undefined) return undefined;
    return {
      text: this.#text,
      characters: this.#characters,
      finish: this.#finish,
      calls: [...this.#calls.values()],
      callsCut: this.#callsCut,
    };
  }

  #addText(text: string): void {
    this.#characters += text.length;
    const room = maxHeldCharacters - this.#text.length;
    if (room > 0) this.#text += room < text.length ? text.slice(0, room) : text;
  }

  #addCall(index: number, name: string): void {
    if (this.#calls.size < maxCalls) this.#calls.set(index, { name, arguments: "" });
    else this.#callsCut = true;
  }

  #addArguments(index: number, text: string): void {
    const call = this.#calls.get(index);
    this.#argumentCharacters += text.length;
    if (call === undefined || this.#argumentCharacters > maxHeldCharacters) this.#callsCut = true;
    else call.arguments += text;
  }
}
