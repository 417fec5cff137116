import type { ChatRequest, ChatTool, ToolChoice } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import { customToolDescription, customToolSchema } from "../custom-tool.ts";
import { legalToolWord } from "../tool-names.ts";
import { encodeCacheHint } from "./cache-hints.ts";
import type { Block } from "./content.ts";
import { openObjectSchema, toInputSchema } from "./input-schema.ts";
import type { ModelProfile } from "./model-profiles.ts";
import { toSubsetSchema } from "./schema-subset.ts";

/** Tools on the wire and what the answer's decoder has to remember of them. */
export interface EncodedTools {
  readonly tools: Block[];
  readonly choice: JsonObject | undefined;
  readonly toolNames: ReadonlyMap<string, string>;
  readonly customTools: ReadonlySet<string>;
}

const maxStrictTools = 20;

/**
 * Encodes tools and the choice among them.
 * @see docs/spec/wire-formats.md 1.4
 */
export function encodeTools(
  request: ChatRequest,
  profile: ModelProfile,
  isBudgeted: boolean,
  dropped: Set<string>,
): EncodedTools {
  const canForce = profile.forcedTool === "always" || (profile.forcedTool === "not-thinking" && !isBudgeted);
  const { choice, kept } = narrowChoice(request, canForce, dropped);
  const toolNames = new Map<string, string>();
  const customTools = new Set<string>();
  let strictTools = 0;
  const tools: Block[] = [];
  request.tools.forEach((tool, i) => {
    if (tool.type !== "server") {
      const legal = legalToolWord(tool.name);
      if (legal !== tool.name) toolNames.set(legal, tool.name);
      if (tool.type === "custom") customTools.add(tool.name);
    }
    if (kept !== undefined && !kept.has(nameOf(tool))) return;
    const mayBeStrict = profile.structuredOutput && strictTools < maxStrictTools;
    const block = encodeTool(tool, `tools[${i}]`, mayBeStrict, dropped);
    if (block["strict"] === true) strictTools++;
    tools.push(block);
  });
  if (tools.length > 0) return { tools, choice, toolNames, customTools };
  const historic = toolsOfHistory(request);
  return { tools: historic, choice: historic.length > 0 ? { type: "none" } : undefined, toolNames, customTools };
}

function nameOf(tool: ChatTool): unknown {
  return tool.type === "server" ? tool.raw["name"] : tool.name;
}

function encodeTool(tool: ChatTool, path: string, mayBeStrict: boolean, dropped: Set<string>): Block {
  switch (tool.type) {
    case "server":
      return { ...tool.raw };
    case "custom":
      return {
        name: legalToolWord(tool.name),
        description: customToolDescription(tool.description, tool.format),
        input_schema: customToolSchema,
      };
    case "function": {
      const { schema, original } = toInputSchema(tool.parameters);
      if (original !== undefined) dropped.add(`${path}.function.parameters`);
      const exact = original === undefined ? "" : `The input must match this JSON schema: ${original}`;
      const description = [tool.description ?? "", exact].filter((text) => text !== "").join("\n\n");
      const strict = tool.strict === true && mayBeStrict ? toSubsetSchema(schema) : undefined;
      const isStrict = strict !== undefined && !strict.isLoosened;
      if (tool.strict === true && !isStrict) dropped.add(`${path}.function.strict`);
      return {
        name: legalToolWord(tool.name),
        ...(description !== "" && { description }),
        input_schema: isStrict ? strict.schema : schema,
        ...(isStrict && { strict: true }),
        ...encodeCacheHint(tool.cache),
      };
    }
  }
}

interface NarrowedChoice {
  readonly choice: JsonObject | undefined;
  /** The client's names of the tools that stay; undefined for all. */
  readonly kept: ReadonlySet<unknown> | undefined;
}

function narrowChoice(request: ChatRequest, canForce: boolean, dropped: Set<string>): NarrowedChoice {
  const { toolChoice, tools, parallelToolCalls } = request;
  if (tools.length === 0) return { choice: undefined, kept: undefined };
  const serial = parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  if (toolChoice === undefined) {
    return { choice: parallelToolCalls === false ? { type: "auto", ...serial } : undefined, kept: undefined };
  }
  if (toolChoice.type === "none") return { choice: { type: "none" }, kept: undefined };
  const isForced = toolChoice.type === "named" || toolChoice.type === "required" || isRequiredSubset(toolChoice);
  const mustLoosen = isForced && !canForce;
  if (mustLoosen) dropped.add("tool_choice");
  if (toolChoice.type === "named") {
    if (mustLoosen) return { choice: { type: "auto", ...serial }, kept: new Set([toolChoice.name]) };
    return { choice: { type: "tool", name: legalToolWord(toolChoice.name), ...serial }, kept: undefined };
  }
  const type = isForced && !mustLoosen ? "any" : "auto";
  return { choice: { type, ...serial }, kept: toolChoice.type === "allowed" ? new Set(toolChoice.names) : undefined };
}

function isRequiredSubset(choice: ToolChoice): boolean {
  return choice.type === "allowed" && choice.mode === "required";
}

/** Some platforms refuse calls in the history without definitions: open ones are made up, never to be called. */
function toolsOfHistory(request: ChatRequest): Block[] {
  const names = new Set<string>();
  for (const message of request.messages) {
    if (message.role === "assistant") for (const call of message.toolCalls) names.add(legalToolWord(call.name));
  }
  return [...names].map((name) => ({ name, input_schema: openObjectSchema }));
}
