import { isObject, type JsonObject } from "../../lib/json.ts";

/** Text and reasoning of a message or a delta, wherever a server puts them. */
export interface MessageTexts {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
}

/**
 * Reads `content` as a string or as parts, and reasoning from `reasoning_content`, `reasoning` or parts of type `thinking`.
 * @see docs/spec/wire-formats.md 8.4
 */
export function readTexts(message: JsonObject): MessageTexts {
  const content = message["content"];
  const aside = stringOf(message["reasoning_content"]) || stringOf(message["reasoning"]);
  const refusal = stringOf(message["refusal"]);
  if (!Array.isArray(content)) return { text: stringOf(content), reasoning: aside, refusal };
  let text = "";
  let thinking = "";
  for (const part of content) {
    if (!isObject(part)) continue;
    if (part["type"] === "thinking") thinking += thinkingText(part["thinking"]);
    else text += stringOf(part["text"]);
  }
  return { text, reasoning: aside || thinking, refusal };
}

function thinkingText(value: unknown): string {
  if (!Array.isArray(value)) return stringOf(value);
  return value.map((item) => (isObject(item) ? stringOf(item["text"]) : stringOf(item))).join("");
}

/** Reads arguments that should be JSON text but are an object at some servers. */
export function argumentsText(value: unknown): string {
  if (typeof value === "string") return value;
  return isObject(value) || Array.isArray(value) ? JSON.stringify(value) : "";
}

/** Returns the string, or "" for anything else: `null`, `""` and a missing member mean "not given". */
export function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
