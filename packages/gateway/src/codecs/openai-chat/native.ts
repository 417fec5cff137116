import { sseData, sseDone } from "../../framing/sse-writer.ts";
import { isObject } from "../../lib/json.ts";
import { editJson, type JsonEdit, removeMember, setMember } from "../../lib/json-edit.ts";
import type { NativeEdits, NativeFormat } from "../native-format.ts";
import { encodeOpenAiError } from "./encode-error.ts";
import { NativeScan } from "./native-scan.ts";

const includeUsage: JsonEdit = { type: "inside", edits: new Map([["include_usage", setMember(true)]]) };
const limitNames = ["max_completion_tokens", "max_tokens"] as const;
const thinkingNames = ["thinking_blocks", "reasoning_content", "reasoning"] as const;

function editRequest(raw: string, edit: NativeEdits): string {
  const { model, isModelNamed, addUsage, remove, rename, maxTokens, stripThinking = false } = edit;
  // A quoted member name cannot hide: a text without it has no such member (an escaped spelling is edited below).
  const untouched = isModelNamed && !addUsage && rename.length === 0 && maxTokens === undefined && !stripThinking;
  if (untouched && !raw.includes("\\u") && !remove.some((name) => raw.includes(`"${name}"`))) return raw;
  const edits = new Map<string, JsonEdit>([["model", setMember(model)]]);
  for (const name of remove) edits.set(name, removeMember);
  if (addUsage) edits.set("stream_options", includeUsage);
  if (maxTokens !== undefined) {
    const body = JSON.parse(raw) as Record<string, unknown>;
    const used = limitNames.filter((name) => name in body);
    for (const name of used.length > 0 ? used : ["max_tokens"]) edits.set(name, setMember(maxTokens));
  }
  if (stripThinking) {
    const messages = withoutThinking((JSON.parse(raw) as Record<string, unknown>)["messages"]);
    if (messages !== undefined) edits.set("messages", setMember(messages));
  }
  if (rename.length > 0) {
    const body = JSON.parse(raw) as Record<string, unknown>;
    for (const { from, to } of rename) {
      if (from in body) edits.set(to, edits.get(from) ?? setMember(body[from]));
      edits.set(from, removeMember);
    }
  }
  return editJson(raw, edits);
}

/** Returns the messages without an assistant's earlier reasoning, undefined when there is none. */
function withoutThinking(messages: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(messages)) return undefined;
  let found = false;
  const stripped = messages.map((message: unknown) => {
    if (!isObject(message) || message["role"] !== "assistant") return message;
    const rest: Record<string, unknown> = { ...message };
    for (const name of thinkingNames) {
      if (!(name in rest)) continue;
      found = true;
      delete rest[name];
    }
    return rest;
  });
  return found ? stripped : undefined;
}

/** Relays Chat Completions to upstreams that speak it too. */
export const openAiChatNative: NativeFormat = {
  path: "/chat/completions",
  editRequest,
  scanner: (hideUsage, choices) => new NativeScan(hideUsage, choices),
  frame: (data) => `data: ${data}\n\n`,
  doneFrame: sseDone,
  errorFrame: (error) => sseData(encodeOpenAiError(error)),
};
