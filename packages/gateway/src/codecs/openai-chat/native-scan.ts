import { GatewayError } from "../../core/errors.ts";
import type { ReportedUsage } from "../../core/usage.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { editJson, removeMember } from "../../lib/json-edit.ts";
import { classifyErrorObject } from "../classify-failure.ts";
import type { NativeScanner, ScannedEvent } from "../native-format.ts";
import { isFailedFinish } from "./finish-reason.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Watches a stream that is relayed as it is. Common chunks are searched for a few tokens and never parsed: a quoted word
 * such as `"usage"` cannot stand inside a JSON string, where its quotes would be escaped. A stream of several choices is
 * rare and is parsed, to know whose finish it is. Every chunk; synchronous.
 * @see docs/spec/wire-formats.md 0.1 and 0.5
 */
export class NativeScan implements NativeScanner {
  readonly #hideUsage: boolean;
  readonly #choices: number;
  /** Indexes of the choices that finished; kept only where there are several. */
  readonly #finished = new Set<unknown>();
  #usage: ReportedUsage | undefined;
  #finishSeen = false;
  #outputChars = 0;
  #contentEvents = 0;
  #failed = false;
  isRefused = false;

  /** `hideUsage`: the gateway asked for usage, the client did not. `choices`: as many as the client asked for. */
  constructor(hideUsage: boolean, choices = 1) {
    this.#hideUsage = hideUsage;
    this.#choices = choices;
  }

  /** The last usage seen. */
  get usage(): ReportedUsage | undefined {
    return this.#usage;
  }

  /** Every choice has finished. */
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

  /** Reads the data of one event, `name` being its `event:` line. */
  scan(data: string, name?: string): ScannedEvent {
    if (this.#failed) return { kind: "empty", forward: undefined };
    if (name === "error") return this.#fail(classifyErrorObject(jsonOf(data) ?? data));
    if (data.length < 16 && data.trim() === "[DONE]") return this.#done();
    const choices = data.indexOf('"choices"');
    const usage = valueAt(data, '"usage"', 0);
    const hasNumbers = usage !== -1 && holdsNumbers(data, usage);
    if (choices === -1 || hasNumbers || this.#choices > 1 || data.includes('"error"')) return this.#parsed(data);
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
    const chunk = jsonOf(data);
    if (!isObject(chunk)) {
      return this.#fail(
        new GatewayError("bad_upstream_response", "The upstream's stream holds an event that is not JSON."),
      );
    }
    if (chunk["error"] || chunk["object"] === "error") return this.#fail(classifyErrorObject(chunk));
    const choices: readonly unknown[] = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
    const usage = decodeUsage(chunk["usage"] ?? choices.filter(isObject).find(hasUsage)?.["usage"]);
    if (usage !== undefined) this.#usage = usage;
    const isUsageOnly = choices.length === 0 && usage !== undefined;
    if (isUsageOnly) return { kind: "empty", forward: this.#hideUsage ? undefined : data };
    const kind =
      this.#choices > 1 ? this.#kindOfAll(choices) : this.#kindOf(data, Math.max(0, data.indexOf('"choices"')));
    if (kind === "error") return this.#fail(gaveUp());
    const hides = this.#hideUsage && chunk["usage"] === null;
    return { kind, forward: hides ? editJson(data, noUsageMember) : data };
  }

  /** Does for a chunk of several choices what `#kindOf` does for one. */
  #kindOfAll(choices: readonly unknown[]): "content" | "empty" | "error" {
    let all: "content" | "empty" = "empty";
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const kind = this.#kindOf(JSON.stringify(choice), 0, choice["index"] ?? 0);
      if (kind === "error") return kind;
      if (kind === "content") all = kind;
    }
    return all;
  }

  /** Tells whether the chunk brings anything, and counts it. Searches from `from` on, where the choices begin. */
  #kindOf(data: string, from: number, index: unknown = 0): "content" | "empty" | "error" {
    const finish = stringAt(data, '"finish_reason"', from);
    const isFinish = finish !== undefined && finish !== "";
    if (isFinish) {
      if (isFailedFinish(finish)) return "error";
      if (finish === "content_filter" && this.#contentEvents === 0) this.isRefused = true;
      if (this.#choices > 1) this.#finished.add(index);
      this.#finishSeen = this.#choices <= 1 || this.#finished.size >= this.#choices;
    }
    let chars = textLength(data, '"content"', from);
    // Nearly every chunk has one kind of text: the others are looked for only when the usual one is missing.
    for (let i = 0; chars === 0 && i < otherTexts.length; i++) {
      chars = textLength(data, otherTexts[i]!, from);
      if (chars > 0 && this.#outputChars === 0 && otherTexts[i] === '"refusal"') this.isRefused = true;
    }
    this.#outputChars += chars;
    if (chars === 0 && !isFinish && !hasStructure(data, from)) return "empty";
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

/** Returns undefined for a text that is no JSON. */
function jsonOf(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

function hasUsage(choice: JsonObject): boolean {
  return isObject(choice["usage"]);
}

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
