import type { Directives } from "./directives.ts";
import { parseJson } from "./json.ts";
import type { OfferedTool, Prompt } from "./prompt.ts";
import { type SampleHints, sampleSchema } from "./sample-schema.ts";
import { seededRandom } from "./seeded-random.ts";

/** A tool call in the answer; `args` is JSON text. */
export interface ToolCall {
  readonly name: string;
  readonly args: string;
}

const COMMON_WORDS = new Set([
  "tool",
  "with",
  "from",
  "list",
  "make",
  "data",
  "find",
  "call",
  "show",
  "read",
  "that",
  "this",
]);
const MAX_CALLS = 64;

/** Decides which offered tools the answer calls, and with which arguments. */
export function chooseTools(prompt: Prompt, said: string, directives: Directives): readonly ToolCall[] {
  if (prompt.tools.length === 0 || prompt.toolChoice.kind === "none") return [];
  const places = placesIn(said);
  const wanted = wantedTools(prompt, said, directives, places.length);
  const limited = prompt.parallelTools ? wanted.slice(0, MAX_CALLS) : wanted.slice(0, 1);
  return limited.map((tool, index) => {
    const given = directives.args === null ? undefined : parseJson(directives.args);
    const hints: SampleHints = {
      enums: [],
      stringFor: (name) => (/city|location|place|town/i.test(name) ? (places[index] ?? places[0] ?? null) : null),
    };
    const args = given ?? sampleSchema(tool.schema, seededRandom(`${prompt.seed}:${index}:${tool.name}`), hints);
    return { name: tool.name, args: JSON.stringify(args) };
  });
}

function wantedTools(prompt: Prompt, said: string, directives: Directives, places: number): readonly OfferedTool[] {
  const { tools, toolChoice } = prompt;
  const byName = (name: string) => tools.filter((tool) => tool.name === name).slice(0, 1);
  if (toolChoice.kind === "named") return byName(toolChoice.name);
  const answered = prompt.toolResults.length > 0;
  const directed = answered ? [] : directives.tools.flatMap(byName);
  if (directed.length > 0) return directed;
  if (!answered && directives.parallelCalls > 0) {
    return Array.from({ length: directives.parallelCalls }, (_, index) => tools[index % tools.length]!);
  }
  const asked = answered ? [] : mentioned(tools, said);
  const first = asked[0];
  if (asked.length === 1 && first !== undefined && places > 1) return Array.from({ length: places }, () => first);
  if (asked.length > 0) return asked;
  return toolChoice.kind === "required" ? tools.slice(0, 1) : [];
}

function mentioned(tools: readonly OfferedTool[], said: string): readonly OfferedTool[] {
  const text = said.toLowerCase();
  const named = tools.filter((tool) => text.includes(tool.name.toLowerCase()));
  if (named.length > 0) return named;
  const spoken = tools.filter((tool) => wordsOf(tool.name).some((word) => new RegExp(`\\b${word}`, "i").test(text)));
  if (spoken.length > 0) return spoken.slice(0, 1);
  return /\buse (the|a|your) tools?\b/i.test(said) ? tools.slice(0, 1) : [];
}

function wordsOf(name: string): readonly string[] {
  const words = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.filter((word) => word.length >= 4 && !COMMON_WORDS.has(word));
}

/** Finds "in Paris and London" style place names. */
function placesIn(said: string): readonly string[] {
  const found = /\b(?:in|for|at)\s+([A-Z][\p{L}-]+(?:(?:,\s*(?:and\s+)?|\s+and\s+)(?:in\s+)?[A-Z][\p{L}-]+)*)/u.exec(
    said,
  );
  return found?.[1] === undefined
    ? []
    : found[1].split(/,\s*(?:and\s+)?|\s+and\s+/).map((place) => place.replace(/^in\s+/, ""));
}
