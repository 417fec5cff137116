import type { ChatEvent } from "../../core/chat-event.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import type { ReplyState } from "../codec.ts";
import { customToolInputText } from "../custom-tool.ts";
import { positionalCallId } from "../positional-id.ts";
import { argumentsText, stringOf } from "./message-parts.ts";

interface TrackedCall {
  readonly wireIndex: number | undefined;
  readonly index: number;
  id: string;
  /** "" until a delta names the tool: nothing is emitted before. */
  name: string;
  kind: "function" | "custom" | "wrapped";
  /** Arguments not emitted yet; all of them for a wrapped custom tool. */
  held: string;
  /** All arguments, kept only to tell whether they are complete JSON. */
  text: string;
}

/**
 * Tells which call a delta belongs to when a server leaves out, repeats or reuses indexes, ids and names.
 * @see docs/spec/wire-formats.md 5.4
 */
export class ToolCallTracker {
  /** Id of the answer; goes into the ids of calls that come without one. */
  responseId = "";
  readonly #state: ReplyState;
  readonly #calls: TrackedCall[] = [];

  constructor(state: ReplyState) {
    this.#state = state;
  }

  get count(): number {
    return this.#calls.length;
  }

  get hasNameless(): boolean {
    return this.#calls.some((call) => call.name === "");
  }

  push(delta: JsonObject, events: ChatEvent[]): void {
    const isCustom = isObject(delta["custom"]);
    const body = isCustom ? delta["custom"] : delta["function"];
    const fields = isObject(body) ? body : {};
    const id = stringOf(delta["id"]);
    const wireName = stringOf(fields["name"]);
    const name = this.#state.toolNames.get(wireName) ?? wireName;
    const text = isCustom ? stringOf(fields["input"]) : argumentsText(fields["arguments"]);
    const call = this.#find(delta["index"], id, name) ?? this.#open(delta["index"], id);
    if (call.id === "" && id !== "" && call.name === "") call.id = id;
    call.text += text;
    call.held += text;
    if (call.name === "") {
      if (name === "") return;
      this.#name(call, name, isCustom, events);
    }
    if (call.kind !== "wrapped") this.#flush(call, events);
  }

  /** Emits what was held; `fillEmpty` gives calls without arguments the empty object. */
  close(fillEmpty: boolean, events: ChatEvent[]): void {
    for (const call of this.#calls) {
      if (call.kind === "wrapped") call.held = customToolInputText(call.held);
      else if (fillEmpty && call.kind === "function" && call.text === "") call.held = "{}";
      this.#flush(call, events);
    }
  }

  #find(index: unknown, id: string, name: string): TrackedCall | undefined {
    if (typeof index === "number") {
      const call = this.#calls.findLast((one) => one.wireIndex === index);
      return call === undefined || isAnother(call, id, name) ? undefined : call;
    }
    if (id !== "") return this.#calls.find((call) => call.id === id);
    const last = this.#calls.at(-1);
    return name !== "" && last !== undefined && last.name !== "" ? undefined : last;
  }

  #open(index: unknown, id: string): TrackedCall {
    const call: TrackedCall = {
      wireIndex: typeof index === "number" ? index : undefined,
      index: this.#calls.length,
      id,
      name: "",
      kind: "function",
      held: "",
      text: "",
    };
    this.#calls.push(call);
    return call;
  }

  #name(call: TrackedCall, name: string, isCustom: boolean, events: ChatEvent[]): void {
    call.name = name;
    call.kind = isCustom ? "custom" : this.#state.customTools.has(name) ? "wrapped" : "function";
    if (call.id === "") call.id = positionalCallId(0, call.index, `${this.responseId}:${name}`);
    const { index, id } = call;
    events.push({ type: "tool-call", index, id, name, ...(call.kind !== "function" && { custom: true }) });
  }

  #flush(call: TrackedCall, events: ChatEvent[]): void {
    if (call.held === "") return;
    events.push({ type: "tool-arguments", index: call.index, text: call.held });
    call.held = "";
  }
}

/** Tells whether a delta at a known index opens a new call there. */
function isAnother(call: TrackedCall, id: string, name: string): boolean {
  if (name === "" || call.name === "") return false;
  if (id !== "" && call.id !== "" && id !== call.id) return true;
  return id === "" && (name !== call.name || isCompleteJson(call.text));
}

function isCompleteJson(text: string): boolean {
  try {
    return text !== "" && isObject(JSON.parse(text));
  } catch {
    return false;
  }
}
