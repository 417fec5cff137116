import type { ChatMessage, ContentPart } from "../../core/chat.ts";

/** More than this of an ask is not read: so much from its head and from its tail. */
const endCharacters = 4_000;

/** Blocks looked at in one text; what comes after stays as it is. */
const mostBlocks = 64;

/** Closing tags looked for in vain in one text: each such look may read all of it. */
const mostUnclosed = 4;

/** User messages looked at, from the last one back. */
const mostMessages = 32;

/** Tags that tools and editors wrap their own text in: it is never a person's. */
const harnessTags = new Set([
  "system-reminder",
  "system_reminder",
  "environment_details",
  "environment_context",
  "user_instructions",
  "command-name",
  "command-message",
  "local-command-stdout",
  "local-command-caveat",
  "bash-stdout",
  "bash-stderr",
  "tool_result",
  "function_results",
  "conversation_summary",
]);

/** What stands in these, and in any with a hyphen or underscore, is material, while the message has other words. */
const materialTags = new Set(["context", "document", "documents", "summary", "rules", "files", "diagnostics", "env"]);

/** Tags that hold the person's own words among a tool's. */
const askTags = ["user_query", "user-query", "userRequest", "user_request", "task", "command-args"] as const;

/** How a tool begins the text that stands for an older conversation. */
const compactionStarts = [
  "This session is being continued from a previous conversation",
  "This conversation is being continued",
  "Here is a summary of the conversation so far",
  "Another language model started to solve this problem",
];

/**
 * Finds the last words of a person, at most their head and tail: tool results, tagged blocks of harnesses and summaries of
 * old turns are none. Empty when nobody said anything.
 */
export function findAsk(messages: readonly ChatMessage[]): string {
  let looked = 0;
  for (let index = messages.length - 1; index >= 0 && looked < mostMessages; index--) {
    const message = messages[index];
    if (message?.role !== "user") continue;
    looked++;
    const ask = ownText(message.content);
    if (ask !== "") return ask;
  }
  return "";
}

const wordsOf = (part: ContentPart | undefined): string =>
  part?.type === "text" && part.text.length > 0 ? headAndTail(ownWords(part.text)) : "";

const joined = (before: string, after: string): string =>
  before === "" || after === "" ? before + after : `${before}\n${after}`;

/** Reads parts from the front, and of very many the last ones too; those between are not looked at. */
function ownText(content: readonly ContentPart[]): string {
  let text = "";
  let next = 0;
  while (next < content.length && text.length < 2 * endCharacters) text = joined(text, wordsOf(content[next++]));
  let tail = "";
  for (let last = content.length - 1; last >= next && tail.length < endCharacters; last--) {
    tail = joined(wordsOf(content[last]), tail);
  }
  return headAndTail(joined(text, tail));
}

function headAndTail(text: string): string {
  if (text.length <= 2 * endCharacters) return text;
  return `${text.slice(0, endCharacters)}\n${text.slice(-endCharacters)}`;
}

function ownWords(text: string): string {
  if (compactionStarts.some((start) => text.startsWith(start))) return "";
  if (!text.includes("<")) return text.trim();
  for (const tag of askTags) {
    const start = text.indexOf(`<${tag}>`);
    const end = start < 0 ? -1 : text.indexOf(`</${tag}>`, start);
    const inner = end < 0 ? "" : text.slice(start + tag.length + 2, end).trim();
    if (inner !== "") return inner;
  }
  const words = withoutBlocks(text, isMaterial).trim();
  // A template may wrap the whole ask in a tag of its own.
  return words === "" ? withoutBlocks(text, isHarness).trim() : words;
}

const isHarness = (tag: string): boolean => harnessTags.has(tag);
const isMaterial = (tag: string): boolean => /[-_]/.test(tag) || materialTags.has(tag);

const tagName = /<([A-Za-z][\w-]{1,40})(?:\s[^<>]{0,200})?>/y;

/** Takes out `<tag>…</tag>` where the tag is one to leave out. Linear: a tag that is never closed is looked for once. */
function withoutBlocks(text: string, leavesOut: (tag: string) => boolean): string {
  let kept = "";
  let from = 0;
  let at = text.indexOf("<");
  const unclosed = new Set<string>();
  for (let block = 0; at >= 0 && block < mostBlocks && unclosed.size < mostUnclosed; block++) {
    tagName.lastIndex = at;
    const name = tagName.exec(text)?.[1];
    const known = name !== undefined && leavesOut(name) && !unclosed.has(name);
    const closing = `</${name}>`;
    const end = known ? text.indexOf(closing, at) : -1;
    if (end < 0) {
      if (known) unclosed.add(name);
      at = text.indexOf("<", at + 1);
      continue;
    }
    kept += text.slice(from, at);
    from = end + closing.length;
    at = text.indexOf("<", from);
  }
  return from === 0 ? text : kept + text.slice(from);
}
