import type { Protocol } from "../codecs/codec.ts";
import { emptyReplyState } from "../codecs/codec.ts";
import type { NativeFormat, NativeScanner } from "../codecs/native-format.ts";
import { isRefusal } from "../core/chat.ts";
import type { Deployment } from "../core/deployment.ts";
import type { GatewayError, Repair } from "../core/errors.ts";
import type { ReportedUsage } from "../core/usage.ts";
import type { SseEvent } from "../framing/sse-reader.ts";
import { parseReply } from "./parse-reply.ts";
import type { ClientRequest, Prepared } from "./prepared.ts";
import { repairedParams } from "./repaired-params.ts";
import type { StreamRelay } from "./stream-relay.ts";

/** Keeps the client's bytes but for the model's name, the usage switch and the gateway's own fields. */
export function prepareNative(
  { chat, raw, taken, foreign }: ClientRequest,
  target: Deployment,
  protocol: Protocol,
  native: NativeFormat,
  repairs: readonly Repair[],
): Prepared {
  const removed = repairs.flatMap((repair) => (repair.type === "drop-param" ? [repair.param] : []));
  const choices = typeof chat.extra["n"] === "number" ? chat.extra["n"] : 1;
  const limit = repairs.findLast((repair) => repair.type === "max-tokens");
  const hideUsage = chat.stream && !chat.includeUsage;
  const body = native.editRequest(raw, {
    model: target.model,
    isModelNamed: chat.model === target.model,
    addUsage: hideUsage,
    remove: [...taken, ...(target.upstream.routesItself ? [] : foreign), ...removed],
    rename: repairs.filter((repair) => repair.type === "rename-param"),
    maxTokens: limit?.maxTokens,
    stripThinking: repairs.some((repair) => repair.type === "strip-thinking"),
  });
  return {
    path: native.path,
    body,
    headers: {},
    dropped: [...removed, ...repairedParams(repairs)],
    streams: chat.stream,
    readWhole(text) {
      const completion = protocol.decodeResponse(parseReply(text), emptyReplyState);
      const { usage, text: answer, reasoning } = completion;
      const outputCharacters = (answer?.length ?? 0) + (reasoning?.length ?? 0);
      return { body: text, usage, outputCharacters, isRefused: isRefusal(completion) };
    },
    makeRelay: () => new NativeRelay(native, native.scanner(hideUsage, choices)),
    collect: undefined,
  };
}

/** Passes events on as they came, and holds the clean end back until the answer is known to be complete. */
class NativeRelay implements StreamRelay {
  readonly #native: NativeFormat;
  readonly #scanner: NativeScanner;
  content = false;
  finished = false;
  error: GatewayError | undefined;

  constructor(native: NativeFormat, scanner: NativeScanner) {
    this.#native = native;
    this.#scanner = scanner;
  }

  get usage(): ReportedUsage | undefined {
    return this.#scanner.usage;
  }

  get outputCharacters(): number {
    return this.#scanner.outputChars;
  }

  get isRefused(): boolean {
    return this.#scanner.isRefused;
  }

  push({ data, event }: SseEvent): string {
    if (this.finished) return "";
    const { kind, forward, error } = this.#scanner.scan(data, event);
    switch (kind) {
      case "error":
        this.error = error;
        return "";
      case "done":
        return this.end();
      case "content":
        this.content = true;
    }
    return forward === undefined ? "" : this.#native.frame(forward);
  }

  end(): string {
    if (this.finished) return "";
    this.error = this.#scanner.end();
    if (this.error !== undefined) return "";
    this.finished = true;
    return this.#native.doneFrame;
  }

  fail(error: GatewayError): string {
    return this.#native.errorFrame(error);
  }
}
