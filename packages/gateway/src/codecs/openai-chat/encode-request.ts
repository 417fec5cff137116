import type { ChatRequest, ChatTool, ResponseFormat, ToolChoice } from "../../core/chat.ts";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { CodecTarget, EncodedRequest } from "../codec.ts";
import { customToolDescription, customToolSchema } from "../custom-tool.ts";
import { legalToolWord } from "../tool-names.ts";
import { encodeMessages } from "./encode-messages.ts";

/** Providers that speak OpenAI's newest parameters; everyone else knows the older ones. */
const modern = new Set(["openai", "azure"]);
/** Servers that go on from a trailing assistant message by themselves, and those that must be told. */
const continuing = new Set(["llamacpp", "ollama"]);
const toldToContinue = new Set(["vllm", "sglang"]);
/** Members of these servers that hold an answer to a shape from its first letter, or have it repeat its beginning. */
const shaping: readonly string[] = [
  ...["structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"],
  ...["grammar", "json_schema", "regex", "ebnf", "structural_tag", "format", "echo"],
];

/** @see docs/spec/wire-formats.md 5.2 */
export function continuesAnswer({ extra }: ChatRequest, { provider }: CodecTarget): boolean {
  if (shaping.some((field) => extra[field] !== undefined && extra[field] !== false)) return false;
  return continuing.has(provider) || toldToContinue.has(provider);
}

/**
 * Encodes a request for a server of this format. `extra` is passed on, since most of these servers have members of
 * their own.
 * @throws GatewayError `capability_unavailable`
 * @see docs/spec/wire-formats.md 5.2 and 8.1
 */
export function encodeRequest(request: ChatRequest, target: CodecTarget): EncodedRequest {
  const dropped = new Set<string>();
  const isModern = modern.has(target.provider);
  const customTools = new Set<string>();
  const toolNames = new Map<string, string>();
  for (const tool of request.tools) {
    if (tool.type === "server") continue;
    if (tool.type === "custom" && !isModern) customTools.add(tool.name);
    const legal = legalToolWord(tool.name);
    if (legal !== tool.name) toolNames.set(legal, tool.name);
  }
  const tools = request.tools.map((tool, i) => encodeTool(tool, i, customTools, dropped));
  const body: JsonObject = {
    ...request.extra,
    model: target.model,
    messages: encodeMessages(request.messages, target.provider, customTools, dropped),
    ...(tools.length > 0 && { tools }),
    ...(request.toolChoice !== undefined && {
      tool_choice: encodeToolChoice(request.toolChoice, request.tools, customTools),
    }),
    ...(request.parallelToolCalls !== undefined && { parallel_tool_calls: request.parallelToolCalls }),
    ...encodeParams(request, target, isModern, dropped),
    ...(request.responseFormat !== undefined && { response_format: encodeResponseFormat(request.responseFormat) }),
    ...(request.stream && { stream: true, stream_options: { include_usage: true } }),
    ...(toldToContinue.has(target.provider) &&
      endsWithText(request) && { continue_final_message: true, add_generation_prompt: false }),
  };
  return {
    path: "/chat/completions",
    body,
    headers: {},
    dropped: [...dropped],
    state: { toolNames, customTools },
  };
}

/** The assistant speaks last, and calls no tool. */
function endsWithText({ messages }: ChatRequest): boolean {
  const last = messages.at(-1);
  return last?.role === "assistant" && last.toolCalls.length === 0;
}

function encodeParams(request: ChatRequest, target: CodecTarget, isModern: boolean, dropped: Set<string>): JsonObject {
  const { temperature, topP, topK, stop, reasoningEffort, endUser, serviceTier } = request;
  if (topK !== undefined && isModern) dropped.add("top_k");
  if (serviceTier !== undefined && !isModern) dropped.add("service_tier");
  const maxTokens = clampMaxTokens(request.maxTokens, target.maxOutputTokens, dropped);
  return {
    ...(maxTokens !== undefined && { [isModern ? "max_completion_tokens" : "max_tokens"]: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(topK !== undefined && !isModern && { top_k: topK }),
    ...(stop.length > 0 && { stop }),
    ...(reasoningEffort !== undefined && { reasoning_effort: reasoningEffort }),
    ...(endUser !== undefined && { [isModern ? "safety_identifier" : "user"]: endUser }),
    ...(serviceTier !== undefined && isModern && { service_tier: serviceTier }),
  };
}

function clampMaxTokens(
  wanted: number | undefined,
  most: number | undefined,
  dropped: Set<string>,
): number | undefined {
  if (wanted === undefined || most === undefined || wanted <= most) return wanted;
  dropped.add("max_tokens");
  return most;
}

function encodeTool(tool: ChatTool, index: number, customTools: ReadonlySet<string>, dropped: Set<string>): JsonObject {
  if (tool.type === "server") {
    const param = `tools[${index}].type`;
    const type = String(tool.raw["type"]).slice(0, 64);
    throw new GatewayError("capability_unavailable", `'${param}': no target here offers the tool '${type}'.`, {
      param,
    });
  }
  const name = legalToolWord(tool.name);
  if (tool.type === "custom") {
    if (!customTools.has(tool.name)) {
      const { description, format } = tool;
      const custom = {
        name,
        ...(description !== undefined && { description }),
        ...(format !== undefined && { format }),
      };
      return { type: "custom", custom };
    }
    const description = customToolDescription(tool.description, tool.format);
    return { type: "function", function: { name, description, parameters: customToolSchema } };
  }
  if (tool.cache !== undefined) dropped.add(`tools[${index}].cache_control`);
  const { description, parameters, strict } = tool;
  return {
    type: "function",
    function: {
      name,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
      ...(strict !== undefined && { strict }),
    },
  };
}

function encodeToolChoice(choice: ToolChoice, tools: readonly ChatTool[], customTools: ReadonlySet<string>): unknown {
  const entry = (name: string): JsonObject => {
    const tool = tools.find((one) => one.type !== "server" && one.name === name);
    const kind = tool?.type === "custom" && !customTools.has(name) ? "custom" : "function";
    return { type: kind, [kind]: { name: legalToolWord(name) } };
  };
  switch (choice.type) {
    case "named":
      return entry(choice.name);
    case "allowed":
      return { type: "allowed_tools", allowed_tools: { mode: choice.mode, tools: choice.names.map(entry) } };
    default:
      return choice.type;
  }
}

function encodeResponseFormat(format: ResponseFormat): JsonObject {
  if (format.type !== "json_schema") return { type: format.type };
  const { name, schema, strict, description } = format;
  return {
    type: "json_schema",
    json_schema: {
      name,
      schema,
      ...(strict !== undefined && { strict }),
      ...(description !== undefined && { description }),
    },
  };
}
