import type { Dialect, ReplyMeta, StreamEncoder } from "../codecs/codec.ts";
import type { ChatRequest } from "../core/chat.ts";
import type { ChatEvent } from "../core/chat-event.ts";
import { addUsage, type TokenUsage } from "../core/usage.ts";
import type { ClientRequest } from "./prepared.ts";
import type { BegunAnswer } from "./stream-so-far.ts";

const charactersPerToken = 4;

/**
 * The same request for a target that goes on where a stream broke off: what was produced stands last, as the assistant's
 * own beginning, and the rest of the answer reads on in the client's stream. `used` is what the broken attempts used.
 */
export function continuedRequest(request: ClientRequest, begun: BegunAnswer, used: TokenUsage): ClientRequest {
  const { dialect, chat, foreign } = request;
  // Models refuse, or quietly cut, white space at the end of their own beginning; the client has it already.
  const text = begun.text.trimEnd();
  const owed = begun.text.slice(text.length);
  return {
    ...request,
    chat: continuedChat({ ...chat, extra: without(chat.extra, foreign) }, text),
    dialect: continuedDialect(dialect, begun, owed, used),
  };
}

/** Nobody who goes on routes by itself. */
function without(extra: ChatRequest["extra"], fields: readonly string[]): ChatRequest["extra"] {
  return Object.fromEntries(Object.entries(extra).filter(([field]) => !fields.includes(field)));
}

function continuedChat(chat: ChatRequest, text: string): ChatRequest {
  const maxTokens =
    chat.maxTokens === undefined
      ? undefined
      : Math.max(1, chat.maxTokens - Math.ceil(text.length / charactersPerToken));
  if (text === "") return { ...chat, maxTokens };
  const beginning = { role: "assistant", content: [{ type: "text", text }], toolCalls: [] } as const;
  return { ...chat, maxTokens, messages: [...chat.messages, beginning] };
}

function continuedDialect(dialect: Dialect, begun: BegunAnswer, owed: string, used: TokenUsage): Dialect {
  return {
    ...dialect,
    streamEncoder: (meta) => new ContinuedEncoder(dialect, { ...meta, ...known(begun) }, owed, used),
  };
}

function known({ id, model }: BegunAnswer): Partial<ReplyMeta> {
  return { ...(id !== undefined && { id }), ...(model !== undefined && { model }) };
}

/** Writes on in a stream whose start and first texts the client has. */
class ContinuedEncoder implements StreamEncoder {
  readonly #encoder: StreamEncoder;
  readonly #used: TokenUsage;
  /** White space that the client has and the model was not shown: it is not sent twice. */
  #owed: string;

  constructor(dialect: Dialect, meta: ReplyMeta, owed: string, used: TokenUsage) {
    this.#encoder = dialect.streamEncoder(meta);
    this.#encoder.encode({ type: "start", id: meta.id, model: meta.model });
    this.#owed = owed;
    this.#used = used;
  }

  encode(event: ChatEvent): string {
    if (event.type === "start") return "";
    if (event.type === "text") return this.#encoder.encode({ type: "text", text: this.#withoutOwed(event.text) });
    if (event.type === "usage") return this.#encoder.encode({ ...event, usage: addUsage(this.#used, event.usage) });
    return this.#encoder.encode(event);
  }

  #withoutOwed(text: string): string {
    let same = 0;
    while (same < this.#owed.length && same < text.length && text[same] === this.#owed[same]) same++;
    // What differs from it, or comes after it, is new.
    this.#owed = same === text.length ? this.#owed.slice(same) : "";
    return text.slice(same);
  }
}
