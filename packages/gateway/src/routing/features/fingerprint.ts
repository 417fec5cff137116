import type { ChatMessage, ContentPart } from "../../core/chat.ts";
import { hashStart, hashStep } from "./word-table.ts";

/** Of a longer text only so much of its head and tail counts, and its length: engines match prefixes from the head. */
const headCharacters = 256;
const tailCharacters = 96;

/** System messages looked at; harnesses send one or two. */
const mostMessages = 16;

/** Continues a 32-bit hash with a text, at most some 350 characters of it. */
export function hashText(start: number, text: string): number {
  const length = text.length;
  let hash = hashStep(hashStep(start, length & 0xffff), length >>> 16);
  const whole = length <= headCharacters + tailCharacters;
  const head = whole ? length : headCharacters;
  for (let at = 0; at < head; at++) hash = hashStep(hash, text.charCodeAt(at));
  if (!whole) for (let at = length - tailCharacters; at < length; at++) hash = hashStep(hash, text.charCodeAt(at));
  return hash;
}

function hashPart(hash: number, part: ContentPart): number {
  switch (part.type) {
    case "text":
    case "refusal":
      return hashText(hash, part.text);
    case "image":
      return hashText(hash, part.url);
    case "file":
    case "audio":
      return hashText(hash, part.data);
    case "file-id":
      return hashText(hash, part.fileId);
  }
}

/** Hashes what comes before a conversation, and the conversation by its beginning; both unsigned 32 bits. */
export function fingerprint(
  messages: readonly ChatMessage[],
  toolText: string,
): { prefixHash: number; conversationHash: number } {
  let prefix = hashText(hashStart, toolText);
  let opening: ChatMessage | undefined;
  let seen = 0;
  for (const message of messages) {
    if (message.role === "user") {
      opening ??= message;
    } else if (message.role === "system" && seen++ < mostMessages) {
      for (const part of message.content.slice(0, mostMessages)) prefix = hashPart(prefix, part);
    }
  }
  let conversation = prefix;
  for (const part of opening?.content.slice(0, mostMessages) ?? []) conversation = hashPart(conversation, part);
  return { prefixHash: prefix >>> 0, conversationHash: conversation >>> 0 };
}
