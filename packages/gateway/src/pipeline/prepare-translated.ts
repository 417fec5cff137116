import type {
  CodecTarget,
  Dialect,
  Protocol,
  ReplyMeta,
  ReplyState,
  StreamDecoder,
  StreamEncoder,
  TranslationPolicy,
} from "../codecs/codec.ts";
import { type ChatCompletion, type ChatRequest, isRefusal } from "../core/chat.ts";
import { type ChatEvent, isContent } from "../core/chat-event.ts";
import type { Deployment } from "../core/deployment.ts";
import type { GatewayError, Repair } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";
import type { SseEvent } from "../framing/sse-reader.ts";
import { CompletionCollector } from "./completion-collector.ts";
import { parseReply } from "./parse-reply.ts";
import type { ClientRequest, Prepared, ReplyIdentity, WholeReply } from "./prepared.ts";
import { repairedParams } from "./repaired-params.ts";
import type { StreamRelay } from "./stream-relay.ts";

/** What a protocol may know of a deployment. */
export function codecTargetOf({ model, upstream, contextWindow, maxOutputTokens }: Deployment): CodecTarget {
  return { model, provider: upstream.provider, contextWindow, maxOutputTokens };
}

/** Applies what an upstream's refusal taught before the request is encoded again. */
function repaired(chat: ChatRequest, repairs: readonly Repair[]): ChatRequest {
  let result = chat;
  for (const repair of repairs) {
    if (repair.type === "max-tokens") result = { ...result, maxTokens: repair.maxTokens };
    if (repair.type === "strip-thinking") {
      const messages = result.messages.map((message) => {
        if (message.role !== "assistant") return message;
        const { thinkingBlocks: _, ...rest } = message;
        return rest;
      });
      result = { ...result, messages };
    }
  }
  return result;
}

/** Builds a request in the upstream's format and the decoders that bring its answer back. */
export function prepareTranslated(
  { dialect, chat }: ClientRequest,
  target: Deployment,
  protocol: Protocol,
  policy: TranslationPolicy,
  identity: ReplyIdentity,
  repairs: readonly Repair[],
): Prepared {
  const codecTarget = codecTargetOf(target);
  const streams = chat.stream || protocol.alwaysStream;
  const encoded = protocol.encode({ ...repaired(chat, repairs), stream: streams }, codecTarget, policy);
  const body: Record<string, unknown> = { ...encoded.body };
  const dropped = [...encoded.dropped, ...repairedParams(repairs)];
  for (const repair of repairs) {
    if (repair.type === "rename-param") {
      body[repair.to] = body[repair.from];
      delete body[repair.from];
    } else if (repair.type === "drop-param") {
      delete body[repair.param];
      dropped.push(repair.param);
    }
  }
  const meta: ReplyMeta = { ...identity, model: target.model, includeUsage: chat.includeUsage };
  const whole = (completion: ChatCompletion): WholeReply => ({
    body: JSON.stringify(dialect.encodeResponse(completion, meta)),
    usage: completion.usage,
    outputCharacters: (completion.text?.length ?? 0) + (completion.reasoning?.length ?? 0),
    isRefused: isRefusal(completion),
  });
  const collector = chat.stream ? undefined : new CompletionCollector();
  return {
    path: encoded.path,
    body: JSON.stringify(body),
    headers: encoded.headers,
    dropped: [...new Set(dropped)],
    streams,
    readWhole: (text) => whole(protocol.decodeResponse(parseReply(text), encoded.state)),
    makeRelay: () => new TranslatedRelay(protocol, encoded.state, dialect, meta, collector),
    collect: collector && (() => whole(collector.completion())),
  };
}

/** Decodes each upstream event into chat events and encodes those for the client, or collects them. */
class TranslatedRelay implements StreamRelay {
  readonly #decoder: StreamDecoder;
  readonly #encoder: StreamEncoder;
  readonly #collector: CompletionCollector | undefined;
  content = false;
  finished = false;
  error: GatewayError | undefined;
  usage: ReportedUsage | undefined;
  outputCharacters = 0;
  isRefused = false;
  #hasAnswer = false;

  constructor(
    protocol: Protocol,
    state: ReplyState,
    dialect: Dialect,
    meta: ReplyMeta,
    collector: CompletionCollector | undefined,
  ) {
    this.#decoder = protocol.streamDecoder(state);
    this.#encoder = dialect.streamEncoder(meta);
    this.#collector = collector;
  }

  push(event: SseEvent): string {
    return this.#relay(this.#decoder.push(event));
  }

  end(): string {
    return this.#relay(this.#decoder.end());
  }

  fail(error: GatewayError): string {
    return this.#encoder.encode({ type: "error", error });
  }

  #relay(events: ReturnType<StreamDecoder["push"]>): string {
    let text = "";
    for (const event of events) {
      if (event.type === "error") {
        this.error = event.error;
        return text;
      }
      if (event.type === "end") this.finished = true;
      if (event.type === "usage") this.usage = { usage: event.usage, raw: event.raw };
      if ("text" in event) this.outputCharacters += event.text.length;
      if (!this.content && isContent(event)) this.content = true;
      if (event.type === "text" || event.type === "tool-call") this.#hasAnswer = true;
      // With or without words of its own: Anthropic's refusals come as a refusal and a finish.
      else if (!this.#hasAnswer && (event.type === "refusal" || isFilteredFinish(event))) this.isRefused = true;
      if (this.#collector === undefined) text += this.#encoder.encode(event);
      else this.#collector.push(event);
    }
    return text;
  }
}

function isFilteredFinish(event: ChatEvent): boolean {
  return event.type === "finish" && event.reason === "content_filter";
}
