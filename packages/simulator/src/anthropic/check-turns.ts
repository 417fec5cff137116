import { arrayOf, isObject, type Json, type JsonObject, textOf } from "../json.ts";
import type { RefusedRequest } from "../refused-request.ts";
import type { CheckInput } from "./check-request.ts";
import { invalid } from "./messages-error.ts";
import { fitsThinking } from "./thinking-signature.ts";

const IMAGE_TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const MAGIC: readonly (readonly [string, string])[] = [
  ["/9j/", "image/jpeg"],
  ["iVBORw0KGgo", "image/png"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
];
const TOOL_ID = /^[a-zA-Z0-9_-]+$/;
const MAX_CACHE_POINTS = 4;
/** Fields of the blocks that gateways build; others are left to the API. */
const BLOCK_FIELDS: Readonly<Record<string, readonly string[]>> = {
  text: ["type", "text", "citations", "cache_control"],
  image: ["type", "source", "cache_control"],
  thinking: ["type", "thinking", "signature"],
  tool_use: ["type", "id", "name", "input", "caller", "cache_control"],
  tool_result: ["type", "tool_use_id", "content", "is_error", "cache_control"],
};

/** Checks the turns, the system text and cache points; returns the first refusal. */
export function checkTurns(input: CheckInput): RefusedRequest | null {
  const { body, profile } = input;
  const turns = body["messages"];
  if (!Array.isArray(turns)) return invalid("messages: Input should be a valid list");
  if (turns.length === 0) return invalid("messages: at least one message is required");
  for (const [index, turn] of turns.entries()) {
    const refused = checkTurn(input, turn, index, index === turns.length - 1);
    if (refused !== null) return refused;
  }
  const list = turns.filter(isObject);
  if (list[0]?.["role"] !== "user") return invalid('messages: first message must use the "user" role');
  const refused = checkToolPairs(list) ?? checkSystem(body) ?? checkCachePoints(body) ?? checkThinkingTurn(body, list);
  if (refused !== null) return refused;
  const last = list.at(-1);
  if (last?.["role"] !== "assistant") return null;
  if (!profile.prefill || isObject(body["thinking"]) || hasFormat(body)) {
    return invalid(
      "This model does not support assistant message prefill. The conversation must end with a user message.",
    );
  }
  return /\s$/.test(lastText(last))
    ? invalid("messages: final assistant content cannot end with trailing whitespace")
    : null;
}

/** Returns the blocks of a turn; a string is one text block. */
export function blocksOf(turn: JsonObject): readonly JsonObject[] {
  const content = turn["content"];
  if (typeof content === "string") return [{ type: "text", text: content }];
  return arrayOf(content).filter(isObject);
}

function hasFormat(body: JsonObject): boolean {
  return isObject(body["output_config"]) && body["output_config"]["format"] != null;
}

function lastText(turn: JsonObject): string {
  const block = blocksOf(turn).at(-1);
  return block?.["type"] === "text" ? textOf(block["text"]) : "";
}

function checkTurn({ profile }: CheckInput, turn: Json, index: number, isLast: boolean): RefusedRequest | null {
  const at = `messages.${index}`;
  if (!isObject(turn)) return invalid(`${at}: Input should be a valid dictionary`);
  const role = textOf(turn["role"]);
  if (role === "system" && profile.systemTurns && index > 0) return null;
  if (role !== "user" && role !== "assistant") return invalid(`${at}.role: Input should be 'user' or 'assistant'`);
  const extra = Object.keys(turn).find((key) => key !== "role" && key !== "content");
  if (extra !== undefined) return invalid(`${at}.${extra}: Extra inputs are not permitted`);
  const content = turn["content"];
  if (content == null) return invalid(`${at}.content: Field required`);
  if (typeof content !== "string" && !Array.isArray(content))
    return invalid(`${at}.content: Input should be a valid list`);
  if (content.length === 0 && !(isLast && role === "assistant")) {
    return invalid(`${at}: all messages must have non-empty content except for the optional final assistant message`);
  }
  if (typeof content === "string") return checkText(content);
  for (const [position, block] of content.entries()) {
    const refused = checkBlock(block, role, `${at}.content.${position}`);
    if (refused !== null) return refused;
  }
  return null;
}

function checkText(text: string): RefusedRequest | null {
  if (text === "") return invalid("messages: text content blocks must be non-empty");
  return text.trim() === "" ? invalid("messages: text content blocks must contain non-whitespace text") : null;
}

function checkBlock(block: Json, role: string, at: string): RefusedRequest | null {
  if (!isObject(block)) return invalid(`${at}: Input should be a valid dictionary`);
  const type = textOf(block["type"]);
  const extra = Object.keys(block).find((field) => BLOCK_FIELDS[type]?.includes(field) === false);
  if (extra !== undefined) return invalid(`${at}.${type}.${extra}: Extra inputs are not permitted`);
  switch (type) {
    case "text":
      if (typeof block["text"] !== "string") return invalid(`${at}.text.text: Field required`);
      if (block["text"] === "" && block["cache_control"] !== undefined) {
        return invalid(`${at}.text: cache_control cannot be set for empty text blocks`);
      }
      return checkText(block["text"]);
    case "image":
      return role === "user"
        ? checkImage(block, at)
        : invalid(`${at}: image blocks are only permitted in user messages`);
    case "tool_use":
      if (role !== "assistant") return invalid(`${at}: \`tool_use\` blocks can only be in \`assistant\` messages`);
      return checkToolUse(block, at);
    case "tool_result":
      if (role !== "user") return invalid(`${at}: \`tool_result\` blocks can only be in \`user\` messages`);
      return checkToolResult(block, at);
    case "thinking":
      if (role !== "assistant") return invalid(`${at}: \`thinking\` blocks can only be in \`assistant\` messages`);
      return fitsThinking(textOf(block["thinking"]), textOf(block["signature"]))
        ? null
        : invalid(`${at}: Invalid \`signature\` in \`thinking\` block`);
    case "document":
    case "search_result":
    case "redacted_thinking":
    case "server_tool_use":
    case "web_search_tool_result":
    case "container_upload":
      return null;
    default:
      return invalid(
        `${at}: Input tag '${type}' found using 'type' does not match any of the expected tags: 'document', 'image', 'redacted_thinking', 'search_result', 'server_tool_use', 'text', 'thinking', 'tool_result', 'tool_use', 'web_search_tool_result'`,
      );
  }
}

function checkToolUse(block: JsonObject, at: string): RefusedRequest | null {
  if (!TOOL_ID.test(textOf(block["id"]))) {
    return invalid(`${at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`);
  }
  if (textOf(block["name"]) === "") return invalid(`${at}.tool_use.name: Field required`);
  return isObject(block["input"]) ? null : invalid(`${at}.tool_use.input: Input should be a valid dictionary`);
}

function checkToolResult(block: JsonObject, at: string): RefusedRequest | null {
  if (textOf(block["tool_use_id"]) === "") return invalid(`${at}.tool_result.tool_use_id: Field required`);
  for (const [index, part] of arrayOf(block["content"]).entries()) {
    const where = `${at}.tool_result.content.${index}`;
    if (!isObject(part)) return invalid(`${where}: Input should be a valid dictionary`);
    const refused =
      part["type"] === "image"
        ? checkImage(part, where)
        : part["type"] === "text"
          ? checkText(textOf(part["text"]))
          : null;
    if (refused !== null) return refused;
  }
  return null;
}

function checkImage(block: JsonObject, at: string): RefusedRequest | null {
  const source = block["source"];
  if (!isObject(source)) return invalid(`${at}.image.source: Field required`);
  if (source["type"] === "url") {
    return textOf(source["url"]).startsWith("https://")
      ? null
      : invalid(`${at}.image.source.url: Only HTTPS URLs are supported.`);
  }
  if (source["type"] === "file") return null;
  if (source["type"] !== "base64") {
    return invalid(
      `${at}.image.source: Input tag '${textOf(source["type"])}' found using 'type' does not match any of the expected tags: 'base64', 'file', 'url'`,
    );
  }
  const declared = textOf(source["media_type"]);
  if (!IMAGE_TYPES.includes(declared)) {
    return invalid(
      `${at}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'`,
    );
  }
  const data = textOf(source["data"]);
  if (data === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(data))
    return invalid(`${at}.image.source.base64: invalid base64 data`);
  const real = MAGIC.find(([start]) => data.startsWith(start))?.[1] ?? declared;
  return real === declared
    ? null
    : invalid(
        `${at}.image.source.base64.data: The image was specified using the ${declared} media type, but the image appears to be a ${real} image`,
      );
}

/** Joins consecutive turns of one role, as the API does, and checks that results follow their calls at once and first. */
function checkToolPairs(turns: readonly JsonObject[]): RefusedRequest | null {
  const joined: { role: string; index: number; blocks: JsonObject[] }[] = [];
  for (const [index, turn] of turns.entries()) {
    const role = textOf(turn["role"]);
    const last = joined.at(-1);
    if (last?.role === role) last.blocks.push(...blocksOf(turn));
    else joined.push({ role, index, blocks: [...blocksOf(turn)] });
  }
  let open: string[] = [];
  for (const { role, index, blocks } of joined) {
    const results = blocks.filter((block) => block["type"] === "tool_result");
    const ids = results.map((block) => textOf(block["tool_use_id"]));
    const missing = open.filter((id) => !ids.includes(id));
    const leading = blocks.slice(0, results.length).every((block) => block["type"] === "tool_result");
    if (missing.length > 0 || (open.length > 0 && !leading)) {
      const named = (missing.length > 0 ? missing : open).join(", ");
      return invalid(
        `messages.${index - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${named}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
      );
    }
    const stray = ids.find((id) => !open.includes(id));
    if (stray !== undefined) {
      return invalid(
        `messages.${index}.content.0: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stray}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    }
    if (new Set(ids).size < ids.length) {
      return invalid(
        `messages.${index}.content.0: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${ids[0]}`,
      );
    }
    open =
      role === "assistant"
        ? blocks.filter((block) => block["type"] === "tool_use").map((block) => textOf(block["id"]))
        : [];
    if (new Set(open).size < open.length) return invalid("messages: `tool_use` ids must be unique");
  }
  if (open.length === 0) return null;
  return invalid(
    `messages.${turns.length - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );
}

function checkSystem(body: JsonObject): RefusedRequest | null {
  const system = body["system"];
  if (system === undefined || typeof system === "string") return null;
  if (!Array.isArray(system)) return invalid("system: Input should be a valid list");
  for (const [index, block] of system.entries()) {
    if (!isObject(block) || block["type"] !== "text") return invalid(`system.${index}.type: Input should be 'text'`);
    if (textOf(block["text"]) === "") return invalid("system: text content blocks must be non-empty");
  }
  return null;
}

function checkCachePoints(body: JsonObject): RefusedRequest | null {
  const blocks = [body, ...arrayOf(body["tools"]), ...arrayOf(body["system"])];
  for (const turn of arrayOf(body["messages"])) if (isObject(turn)) blocks.push(...blocksOf(turn));
  const points = blocks.filter((block) => isObject(block) && block["cache_control"] != null).length;
  return points > MAX_CACHE_POINTS
    ? invalid(`A maximum of 4 blocks with cache_control may be provided. Found ${points}.`)
    : null;
}

/** With budgeted thinking, an open tool loop must begin with its thinking block. */
function checkThinkingTurn(body: JsonObject, turns: readonly JsonObject[]): RefusedRequest | null {
  const thinking = body["thinking"];
  if (!isObject(thinking) || thinking["type"] !== "enabled") return null;
  const answered = turns.at(-1);
  const called = turns.at(-2);
  const inLoop = answered !== undefined && blocksOf(answered).some((block) => block["type"] === "tool_result");
  if (!inLoop || called === undefined) return null;
  const first = textOf(blocksOf(called)[0]?.["type"]);
  if (first === "thinking" || first === "redacted_thinking") return null;
  return invalid(
    `messages.${turns.length - 2}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${first}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks).`,
  );
}
