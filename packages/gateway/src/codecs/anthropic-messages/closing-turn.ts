import type { TranslationPolicy } from "../codec.ts";
import type { Block } from "./content.ts";
import type { Turn } from "./turns.ts";
import { unavailable } from "./unavailable.ts";

interface WireMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: Block[];
}

/**
 * Lays turns out as messages that begin with a user and end with one, unless a trailing assistant message may stay as
 * prefill.
 * @throws GatewayError `capability_unavailable` when the policy refuses a prefill the model cannot take
 * @see docs/spec/wire-formats.md 1.3
 */
export function layOutTurns(
  turns: readonly Turn[],
  canPrefill: boolean,
  policy: TranslationPolicy,
  dropped: Set<string>,
): WireMessage[] {
  const messages: WireMessage[] = turns.map((turn) =>
    turn.role === "assistant"
      ? { role: turn.role, content: [...turn.thinking, ...turn.texts, ...turn.toolUses] }
      : { role: turn.role, content: turn.blocks },
  );
  const last = turns.at(-1);
  if (last?.role === "assistant") closeWith(messages, last.lastIndex, canPrefill, policy, dropped);
  if (messages.length === 0 || messages[0]?.role !== "user") messages.unshift(userText("."));
  return messages;
}

function closeWith(
  messages: WireMessage[],
  index: number,
  canPrefill: boolean,
  policy: TranslationPolicy,
  dropped: Set<string>,
): void {
  if (canPrefill) {
    // Trailing white space in a prefill is refused.
    const block = messages.at(-1)?.content.at(-1);
    if (typeof block?.["text"] === "string") block["text"] = block["text"].trimEnd();
    return;
  }
  const param = `messages[${index}]`;
  if (policy.prefill === "reject") unavailable(param, "the conversation has to end with a user or tool message");
  dropped.add(param);
  if (policy.prefill === "drop") messages.pop();
  else messages.push(userText("Continue."));
}

function userText(text: string): WireMessage {
  return { role: "user", content: [{ type: "text", text }] };
}
