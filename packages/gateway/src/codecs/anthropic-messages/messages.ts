import type {
  AssistantMessage,
  ChatMessage,
  ChatRequest,
  SystemMessage,
  ToolCall,
  ToolMessage,
} from "../../core/chat.ts";
import { isObject } from "../../lib/json.ts";
import type { TranslationPolicy } from "../codec.ts";
import { legalToolWord } from "../tool-names.ts";
import { type Block, encodeParts } from "./content.ts";
import type { ModelProfile } from "./model-profiles.ts";
import { isReplayable } from "./thinking-blocks.ts";
import { ToolIds } from "./tool-ids.ts";
import { type Turn, Turns } from "./turns.ts";

export interface EncodedMessages {
  readonly system: Block[];
  readonly turns: readonly Turn[];
}

/**
 * Encodes the history. A pure function of the messages: a longer conversation begins with the encoding of a shorter one,
 * except where a later system message has to be hoisted.
 * @throws GatewayError `capability_unavailable`
 * @see docs/spec/wire-formats.md 0.4 and 1.3
 */
export function encodeMessages(
  request: ChatRequest,
  profile: ModelProfile,
  policy: TranslationPolicy,
  dropped: Set<string>,
): EncodedMessages {
  const { messages } = request;
  const system: Block[] = [];
  const turns = new Turns(new ToolIds(), dropped);
  let isLeading = true;
  messages.forEach((message, i) => {
    const path = `messages[${i}]`;
    if (message.role !== "system") isLeading = false;
    if ("name" in message && message.name !== undefined) dropped.add(`${path}.name`);
    switch (message.role) {
      case "system":
        if (isLeading) system.push(...encodeParts(message.content, path, dropped));
        else encodeMidSystem(message, i, messages, { system, turns, profile, policy, dropped });
        break;
      case "user":
        turns.user(encodeParts(message.content, path, dropped));
        break;
      case "assistant":
        encodeAssistant(message, i, turns, dropped);
        break;
      case "tool":
        encodeToolResult(message, path, turns, dropped);
    }
  });
  turns.settle();
  return { system, turns: turns.list };
}

interface MidSystem {
  readonly system: Block[];
  readonly turns: Turns;
  readonly profile: ModelProfile;
  readonly policy: TranslationPolicy;
  readonly dropped: Set<string>;
}

function encodeMidSystem(message: SystemMessage, index: number, all: readonly ChatMessage[], mid: MidSystem): void {
  const { system, turns, profile, policy, dropped } = mid;
  const blocks = encodeParts(message.content, `messages[${index}]`, dropped);
  if (blocks.length === 0) return;
  if (profile.midSystem && turns.endsWithUser && isLegalPlace(index, all)) {
    turns.system(blocks);
    return;
  }
  dropped.add(`messages[${index}].role`);
  if (policy.midSystem === "hoist") system.push(...blocks);
  else
    for (const { text } of blocks)
      turns.aside({ type: "text", text: `<system-reminder>\n${text}\n</system-reminder>` });
}

/** In place only after a user's or tool's message and before an assistant's, or last. */
function isLegalPlace(index: number, all: readonly ChatMessage[]): boolean {
  const before = all.slice(0, index).findLast((message) => message.role !== "system");
  const after = all.slice(index + 1).find((message) => message.role !== "system");
  return (before?.role === "user" || before?.role === "tool") && (after === undefined || after.role === "assistant");
}

function encodeAssistant(message: AssistantMessage, index: number, turns: Turns, dropped: Set<string>): void {
  const path = `messages[${index}]`;
  const texts = encodeParts(message.content, path, dropped);
  const thinking = (message.thinkingBlocks ?? []).filter(isReplayable);
  if (thinking.length < (message.thinkingBlocks?.length ?? 0)) dropped.add(`${path}.thinking_blocks`);
  if (message.reasoning !== undefined && message.thinkingBlocks === undefined) dropped.add(`${path}.reasoning_content`);
  // Thinking alone is no turn: the API wants something after it.
  if (texts.length === 0 && message.toolCalls.length === 0) {
    if (thinking.length > 0) dropped.add(`${path}.thinking_blocks`);
    return;
  }
  const turn = turns.assistant(index);
  turn.thinking.push(...thinking.map((block) => ({ ...block })));
  turn.texts.push(...texts);
  message.toolCalls.forEach((call, i) => {
    const block = { name: legalToolWord(call.name), input: encodeInput(call) };
    turns.call(turn, call.id, `${path}.tool_calls[${i}]`, block);
  });
}

/** Arguments have to be an object upstream; what is none is wrapped, not lost. */
function encodeInput(call: ToolCall): Block {
  if (call.custom === true) return { input: call.arguments };
  if (call.arguments.trim() === "") return {};
  try {
    const parsed: unknown = JSON.parse(call.arguments);
    if (isObject(parsed)) return parsed;
  } catch {
    // Wrapped below.
  }
  return { __raw_arguments: call.arguments };
}

function encodeToolResult(message: ToolMessage, path: string, turns: Turns, dropped: Set<string>): void {
  const blocks = encodeParts(message.content, path, dropped);
  const hinted = blocks.findLast((block) => block["cache_control"] !== undefined)?.["cache_control"];
  for (const block of blocks) delete block["cache_control"];
  const isFiled = turns.result(message.toolCallId, {
    ...(message.isError === true && { is_error: true }),
    ...(blocks.length > 0 && { content: blocks }),
    ...(hinted !== undefined && { cache_control: hinted }),
  });
  if (isFiled) return;
  dropped.add(`${path}.tool_call_id`);
  turns.aside({ type: "text", text: `[result of unknown tool call ${message.toolCallId}]` });
  for (const block of blocks) turns.aside(block);
}
