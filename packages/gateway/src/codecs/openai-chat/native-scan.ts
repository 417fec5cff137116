import { GatewayError } from "../../core/errors.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { isObject } from "../../lib/json.ts";
import { editJson, removeMember } from "../../lib/json-edit.ts";
import { classifyErrorObject } from "../classify-failure.ts";
import type { NativeScanner, ScannedEvent } from "../native-format.ts";
import { isFailedFinish } from "./finish-reason.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Watches a stream that is relayed as it is. Common chunks are searched for a few tokens and never parsed: a quoted word
 * such as `"usage"` cannot stand inside a JSON string, where its quotes would be escaped. Every chunk; synchronous.
 * @see docs/spec/wire-formats.md 0.1 and 0.5
 */
export class NativeScan implements NativeScanner {
  readonly #hideUsage: boolean;
  #usage: TokenUsage | undefined;
  #finishSeen = false;
  #outputChars = 0;
  #contentEvents = 0;
  #failed = false;

  /** `hideUsage`: the gateway asked for usage, the client did not. */
  constructor(hideUsage: boolean) {
    this.#hideUsage = hideUsage;
  }

  /** The last usage seen. */
  get usage(): TokenUsage | undefined {
    return this.#usage;
  }

  get finishSeen(): boolean {
    return this.#finishSeen;
  }

  /** Characters of text, reasoning and arguments so far, escapes counted raw: good enough to estimate a cut answer. */
  get outputChars(): number {
    return this.#outputChars;
  }

  /** Events with content so far; most servers send one token in each. */
  get contentEvents(): number {
    return this.#contentEvents;
  }

  /** Reads the data of one event. */
  scan(data: string): ScannedEvent {
    if (this.#failed) return { kind: "empty", forward: undefined };
    if (data.length < 16 && data.trim() === "[DONE]") return this.#done();
    const isOrdinary =
      data.includes('"choices"') && !data.includes('"error"') && !data.includes('"abort"') && hasOnlyNullUsage(data);
    if (!isOrdinary) return this.#parsed(data);
    return {
      kind: this.#content(data) ? "content" : "empty",
      forward: this.#hideUsage ? withoutNullUsage(data) : data,
    };
  }

  /** Returns the error to end with when the body ended, or undefined when the answer was complete. */
  end(): GatewayError | undefined {
    return this.#finishSeen || this.#failed ? undefined : interrupted();
  }

  #done(): ScannedEvent {
    return this.#finishSeen ? { kind: "done", forward: "[DONE]" } : this.#fail(interrupted());
  }

  #fail(error: GatewayError): ScannedEvent {
    this.#failed = true;
    return { kind: "error", forward: undefined, error };
  }

  #parsed(data: string): ScannedEvent {
    if (data.trim() === "") return { kind: "empty", forward: undefined };
    let chunk: unknown;
    try {
      chunk = JSON.parse(data);
    } catch {
      chunk = undefined;
    }
    if (!isObject(chunk)) {
      return this.#fail(
        new GatewayError("bad_upstream_response", "The upstream's stream holds an event that is not JSON."),
      );
    }
    if (chunk["error"] || chunk["object"] === "error") return this.#fail(classifyErrorObject(chunk));
    const choices = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
    const failed = choices.find((one) => isObject(one) && isFailedFinish(String(one["finish_reason"])));
    if (failed !== undefined)
      return this.#fail(new GatewayError("upstream_error", "The upstream gave up on the answer."));

    const choice: unknown = choices[0];
    const usage = decodeUsage(chunk["usage"] ?? (isObject(choice) ? choice["usage"] : undefined));
    if (usage !== undefined) this.#usage = usage;
    const isUsageOnly = choices.length === 0 && usage !== undefined;
    if (isUsageOnly) return { kind: "empty", forward: this.#hideUsage ? undefined : data };
    const kind = this.#content(data) ? "content" : "empty";
    return { kind, forward: this.#hideUsage && chunk["usage"] === null ? withoutNullUsage(data) : data };
  }

  /** Counts what the chunk brings and tells whether it brings anything. */
  #content(data: string): boolean {
    let chars = 0;
    for (const token of textTokens) chars += textLength(data, token);
    const isFinish = startsValue(data, '"finish_reason"', QUOTE);
    const isContent = chars > 0 || isFinish || opensList(data, '"tool_calls"') || opensList(data, '"content"');
    const isMore =
      isContent || startsValue(data, '"function_call"', OPEN_BRACE) || startsValue(data, '"audio"', OPEN_BRACE);
    if (isFinish) this.#finishSeen = true;
    this.#outputChars += chars;
    if (isMore) this.#contentEvents++;
    return isMore;
  }
}

const textTokens = ['"content"', '"reasoning_content"', '"reasoning"', '"refusal"', '"arguments"', '"text"'] as const;

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const BACKSLASH = 0x5c;
const SMALL_N = 0x6e;

function interrupted(): GatewayError {
  return new GatewayError("stream_interrupted", "The upstream closed the stream before the answer ended.");
}

/** Returns where the value of the member starts, or -1. A quoted word without a colon is a value, not a member. */
function valueAt(data: string, token: string): number {
  for (let found = data.indexOf(token); found !== -1; found = data.indexOf(token, found + token.length)) {
    const colon = skipSpace(data, found + token.length);
    if (data.charCodeAt(colon) === 0x3a) return skipSpace(data, colon + 1);
  }
  return -1;
}

function skipSpace(data: string, at: number): number {
  while (data.charCodeAt(at) === 0x20 || data.charCodeAt(at) === 0x0a || data.charCodeAt(at) === 0x09) at++;
  return at;
}

function startsValue(data: string, token: string, code: number): boolean {
  const at = valueAt(data, token);
  return at !== -1 && data.charCodeAt(at) === code;
}

/** Tells whether the member holds a list with something in it. */
function opensList(data: string, token: string): boolean {
  const at = valueAt(data, token);
  if (at === -1 || data.charCodeAt(at) !== OPEN_BRACKET) return false;
  return data.charCodeAt(skipSpace(data, at + 1)) !== CLOSE_BRACKET;
}

/** Returns the raw length of the member's string, 0 when it has none. */
function textLength(data: string, token: string): number {
  const at = valueAt(data, token);
  if (at === -1 || data.charCodeAt(at) !== QUOTE) return 0;
  for (let close = data.indexOf('"', at + 1); close !== -1; close = data.indexOf('"', close + 1)) {
    let backslashes = 0;
    while (data.charCodeAt(close - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return close - at - 1;
  }
  return 0;
}

/** False as soon as one member `usage` may hold numbers. */
function hasOnlyNullUsage(data: string): boolean {
  for (let found = data.indexOf('"usage"'); found !== -1; found = data.indexOf('"usage"', found + 7)) {
    const colon = skipSpace(data, found + 7);
    if (data.charCodeAt(colon) === 0x3a && data.charCodeAt(skipSpace(data, colon + 1)) !== SMALL_N) return false;
  }
  return true;
}

const noUsageMember = new Map([["usage", removeMember]]);

/** Takes out `"usage": null`, which a client that did not ask for usage would never have seen. */
function withoutNullUsage(data: string): string {
  if (!data.includes('"usage"')) return data;
  const short = data.replace(',"usage":null', "");
  if (short.length !== data.length) return short;
  try {
    return editJson(data, noUsageMember);
  } catch {
    return data;
  }
}
