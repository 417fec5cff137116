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
    const choices = data.indexOf('"choices"');
    const usage = valueAt(data, '"usage"', 0);
    const hasNumbers = usage !== -1 && holdsNumbers(data, usage);
    if (choices === -1 || hasNumbers || data.includes('"error"')) return this.#parsed(data);
    const kind = this.#kindOf(data, choices);
    if (kind === "error") return this.#fail(gaveUp());
    return { kind, forward: this.#hideUsage && usage !== -1 ? withoutNullUsage(data, usage) : data };
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
    const choice: unknown = choices[0];
    const usage = decodeUsage(chunk["usage"] ?? (isObject(choice) ? choice["usage"] : undefined));
    if (usage !== undefined) this.#usage = usage;
    const isUsageOnly = choices.length === 0 && usage !== undefined;
    if (isUsageOnly) return { kind: "empty", forward: this.#hideUsage ? undefined : data };
    const kind = this.#kindOf(data, Math.max(0, data.indexOf('"choices"')));
    if (kind === "error") return this.#fail(gaveUp());
    const hides = this.#hideUsage && chunk["usage"] === null;
    return { kind, forward: hides ? editJson(data, noUsageMember) : data };
  }

  /** Tells whether the chunk brings anything, and counts it. Searches from `from` on, where the choices begin. */
  #kindOf(data: string, from: number): "content" | "empty" | "error" {
    const finish = stringAt(data, '"finish_reason"', from);
    if (finish !== undefined) {
      if (isFailedFinish(finish)) return "error";
      this.#finishSeen = true;
    }
    let chars = textLength(data, '"content"', from);
    // Nearly every chunk has one kind of text: the others are looked for only when the usual one is missing.
    for (let i = 0; chars === 0 && i < otherTexts.length; i++) chars = textLength(data, otherTexts[i]!, from);
    this.#outputChars += chars;
    if (chars === 0 && finish === undefined && !hasStructure(data, from)) return "empty";
    this.#contentEvents++;
    return "content";
  }
}

const otherTexts = ['"reasoning_content"', '"reasoning"', '"arguments"', '"refusal"', '"text"'] as const;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const BACKSLASH = 0x5c;
const SMALL_N = 0x6e;

function gaveUp(): GatewayError {
  return new GatewayError("upstream_error", "The upstream gave up on the answer.");
}

function interrupted(): GatewayError {
  return new GatewayError("stream_interrupted", "The upstream closed the stream before the answer ended.");
}

/** Returns where the value of the member starts, or -1. A quoted word without a colon is a value, not a member. */
function valueAt(data: string, token: string, from: number): number {
  for (let found = data.indexOf(token, from); found !== -1; found = data.indexOf(token, found + token.length)) {
    const colon = skipSpace(data, found + token.length);
    if (data.charCodeAt(colon) === 0x3a) return skipSpace(data, colon + 1);
  }
  return -1;
}

/** Tells whether this member `usage`, or one after it, is more than null. */
function holdsNumbers(data: string, usage: number): boolean {
  for (let at = usage; at !== -1; at = valueAt(data, '"usage"', at)) if (data.charCodeAt(at) !== SMALL_N) return true;
  return false;
}

function skipSpace(data: string, at: number): number {
  for (;;) {
    const code = data.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x09) return at;
    at++;
  }
}

/** Tells whether the chunk holds calls, content in parts or audio. */
function hasStructure(data: string, from: number): boolean {
  return (
    opensList(data, '"tool_calls"', from) ||
    opensList(data, '"content"', from) ||
    opensObject(data, '"function_call"', from) ||
    opensObject(data, '"audio"', from)
  );
}

function opensObject(data: string, token: string, from: number): boolean {
  const at = valueAt(data, token, from);
  return at !== -1 && data.charCodeAt(at) === OPEN_BRACE;
}

/** Tells whether the member holds a list with something in it. */
function opensList(data: string, token: string, from: number): boolean {
  const at = valueAt(data, token, from);
  if (at === -1 || data.charCodeAt(at) !== OPEN_BRACKET) return false;
  return data.charCodeAt(skipSpace(data, at + 1)) !== CLOSE_BRACKET;
}

/** Returns the member's string as written, undefined when it holds none. */
function stringAt(data: string, token: string, from: number): string | undefined {
  const at = valueAt(data, token, from);
  return at === -1 || data.charCodeAt(at) !== QUOTE ? undefined : data.slice(at + 1, data.indexOf('"', at + 1));
}

/** Returns the raw length of the member's string, 0 when it has none. */
function textLength(data: string, token: string, from: number): number {
  const at = valueAt(data, token, from);
  if (at === -1 || data.charCodeAt(at) !== QUOTE) return 0;
  for (let close = data.indexOf('"', at + 1); close !== -1; close = data.indexOf('"', close + 1)) {
    let backslashes = 0;
    while (data.charCodeAt(close - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return close - at - 1;
  }
  return 0;
}

const noUsageMember = new Map([["usage", removeMember]]);
const nullUsage = ',"usage":null';

/** Takes out `"usage": null`, which a client that did not ask for usage would never have seen. */
function withoutNullUsage(data: string, valueStart: number): string {
  const start = valueStart + 4 - nullUsage.length;
  if (data.charCodeAt(start) === COMMA && data.startsWith(nullUsage, start)) {
    return data.slice(0, start) + data.slice(valueStart + 4);
  }
  try {
    return editJson(data, noUsageMember);
  } catch {
    return data;
  }
}
