import type { ChatEvent } from "../../core/chat-event.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import type { ReplyState } from "../codec.ts";
import { customToolInputText } from "../custom-tool.ts";
import { encodeAnnotations } from "./annotations.ts";

type OpenBlock =
  | { readonly kind: "text"; readonly start: number; readonly citations: unknown[] }
  | { readonly kind: "thinking"; readonly block: { type: "thinking"; thinking: string; signature: string } }
  | { readonly kind: "tool"; readonly toolIndex: number; readonly startInput: string; sawArguments: boolean }
  /** A stand-in for a custom tool: its input is known only when it is whole. */
  | { readonly kind: "custom"; readonly toolIndex: number; text: string }
  | { readonly kind: "json"; readonly startInput: string; sawArguments: boolean }
  | { readonly kind: "ignored" };

/**
 * Turns content blocks into events. Tool calls are counted apart from blocks. The empty object of a call without
 * arguments is held until it is certain that the limit did not cut the call right there.
 * @see docs/spec/wire-formats.md 3.2
 */
export class StreamBlocks {
  readonly #state: ReplyState;
  readonly #open = new Map<unknown, OpenBlock>();
  readonly #thinkingBlocks: JsonObject[] = [];
  readonly #annotations: JsonObject[] = [];
  #toolCount = 0;
  #hasNameless = false;
  #textLength = 0;
  /** Call whose `{}` is held. */
  #heldTool: number | undefined;

  constructor(state: ReplyState) {
    this.#state = state;
  }

  /** Calls of the client's own tools so far. */
  get toolCount(): number {
    return this.#toolCount;
  }

  /** A call came without the name of its tool, which nothing later can bring. */
  get hasNameless(): boolean {
    return this.#hasNameless;
  }

  /** A call has begun and not ended. */
  get hasOpenCall(): boolean {
    return [...this.#open.values()].some(({ kind }) => kind === "tool" || kind === "custom" || kind === "json");
  }

  /** The stream brought something of an answer. */
  get hasContent(): boolean {
    return this.#toolCount > 0 || this.#textLength > 0 || this.#thinkingBlocks.length > 0;
  }

  start(index: unknown, value: unknown, events: ChatEvent[]): void {
    this.stop(index, events);
    this.#releaseHeld(events);
    const block = isObject(value) ? value : {};
    switch (block["type"]) {
      case "text":
        this.#open.set(index, { kind: "text", start: this.#textLength, citations: [...listOf(block["citations"])] });
        this.#text(stringOf(block["text"]), events);
        break;
      case "thinking": {
        const thinking = stringOf(block["thinking"]);
        const opened = { type: "thinking" as const, thinking, signature: stringOf(block["signature"]) };
        this.#open.set(index, { kind: "thinking", block: opened });
        this.#thinkingBlocks.push(opened);
        if (thinking !== "") events.push({ type: "reasoning", text: thinking });
        break;
      }
      case "redacted_thinking":
        this.#thinkingBlocks.push(block);
        this.#open.set(index, { kind: "ignored" });
        break;
      case "tool_use":
        this.#startTool(index, block, events);
        break;
      default:
        this.#open.set(index, { kind: "ignored" });
    }
  }

  delta(index: unknown, value: unknown, events: ChatEvent[]): void {
    if (!isObject(value)) return;
    const open = this.#open.get(index);
    switch (value["type"]) {
      case "text_delta":
        this.#text(stringOf(value["text"]), events);
        break;
      case "thinking_delta": {
        const text = stringOf(value["thinking"]);
        if (open?.kind === "thinking") open.block.thinking += text;
        if (text !== "") events.push({ type: "reasoning", text });
        break;
      }
      case "signature_delta":
        if (open?.kind === "thinking") open.block.signature = stringOf(value["signature"]);
        break;
      case "citations_delta":
        if (open?.kind === "text") open.citations.push(value["citation"]);
        break;
      case "input_json_delta":
        this.#input(open, stringOf(value["partial_json"]), events);
    }
  }

  stop(index: unknown, events: ChatEvent[]): void {
    const open = this.#open.get(index);
    if (open === undefined) return;
    this.#open.delete(index);
    this.#stopBlock(open, events);
  }

  /** Ends blocks the stream left open and emits what belongs before the finish. */
  close(isCut: boolean, events: ChatEvent[]): void {
    for (const open of this.#open.values()) this.#stopBlock(open, events);
    this.#open.clear();
    if (isCut) this.#heldTool = undefined;
    this.#releaseHeld(events);
    if (this.#annotations.length > 0) events.push({ type: "annotations", annotations: this.#annotations });
    if (this.#thinkingBlocks.length > 0) events.push({ type: "thinking-blocks", blocks: this.#thinkingBlocks });
  }

  #startTool(index: unknown, block: JsonObject, events: ChatEvent[]): void {
    const wireName = stringOf(block["name"]);
    const input = block["input"];
    const startInput = isObject(input) && Object.keys(input).length > 0 ? JSON.stringify(input) : "";
    if (wireName === this.#state.jsonTool) {
      this.#open.set(index, { kind: "json", startInput, sawArguments: false });
      return;
    }
    if (wireName === "") {
      this.#hasNameless = true;
      return;
    }
    const toolIndex = this.#toolCount++;
    const name = this.#state.toolNames.get(wireName) ?? wireName;
    const isCustom = this.#state.customTools.has(name);
    this.#open.set(
      index,
      isCustom
        ? { kind: "custom", toolIndex, text: startInput }
        : { kind: "tool", toolIndex, startInput, sawArguments: false },
    );
    const id = stringOf(block["id"]) || `call_${toolIndex}`;
    events.push({ type: "tool-call", index: toolIndex, id, name, ...(isCustom && { custom: true }) });
  }

  #text(text: string, events: ChatEvent[]): void {
    if (text === "") return;
    this.#textLength += text.length;
    events.push({ type: "text", text });
  }

  #input(open: OpenBlock | undefined, text: string, events: ChatEvent[]): void {
    if (text === "" || open === undefined) return;
    switch (open.kind) {
      case "tool":
        open.sawArguments = true;
        events.push({ type: "tool-arguments", index: open.toolIndex, text });
        break;
      case "custom":
        open.text += text;
        break;
      case "json":
        open.sawArguments = true;
        this.#text(text, events);
    }
  }

  #stopBlock(open: OpenBlock, events: ChatEvent[]): void {
    switch (open.kind) {
      case "text":
        this.#annotations.push(...encodeAnnotations(open.citations, open.start, this.#textLength));
        break;
      case "tool":
        if (open.sawArguments) break;
        if (open.startInput === "") {
          this.#releaseHeld(events);
          this.#heldTool = open.toolIndex;
        } else events.push({ type: "tool-arguments", index: open.toolIndex, text: open.startInput });
        break;
      case "custom":
        if (open.text !== "") {
          events.push({ type: "tool-arguments", index: open.toolIndex, text: customToolInputText(open.text) });
        }
        break;
      case "json":
        if (!open.sawArguments) this.#text(open.startInput || "{}", events);
    }
  }

  #releaseHeld(events: ChatEvent[]): void {
    if (this.#heldTool === undefined) return;
    events.push({ type: "tool-arguments", index: this.#heldTool, text: "{}" });
    this.#heldTool = undefined;
  }
}

function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
