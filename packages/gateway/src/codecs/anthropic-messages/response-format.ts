import type { ChatRequest, ResponseFormat } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { Block } from "./content.ts";
import type { ModelProfile } from "./model-profiles.ts";
import { toSubsetSchema } from "./schema-subset.ts";
import type { EncodedTools } from "./tools.ts";
import { unavailable } from "./unavailable.ts";

/** How the answer's form is asked for: by the API's own format, by a tool, or by words. */
export interface EncodedFormat {
  readonly format?: JsonObject;
  readonly tool?: Block;
  readonly choice?: JsonObject;
  readonly jsonTool?: string;
  readonly instruction?: string;
}

/**
 * Encodes `response_format`. A schema goes into the API's own format where model and schema allow it, else into a tool
 * whose input is the answer.
 * @throws GatewayError `capability_unavailable` for a schema that describes no object
 * @see docs/spec/wire-formats.md 1.4 and 1.6
 */
export function encodeResponseFormat(
  request: ChatRequest,
  profile: ModelProfile,
  tools: EncodedTools,
  canForce: boolean,
  dropped: Set<string>,
): EncodedFormat {
  const format = request.responseFormat;
  if (format === undefined || format.type === "text") return {};
  if (format.type === "json_object") {
    dropped.add("response_format");
    return { instruction: "Answer with one JSON object and nothing else: no prose, no code fence." };
  }
  const subset = profile.structuredOutput ? toSubsetSchema(format.schema) : undefined;
  if (subset !== undefined) {
    if (subset.isLoosened) dropped.add("response_format");
    return { format: { type: "json_schema", schema: subset.schema } };
  }
  return jsonToolFor(format, tools, canForce, dropped);
}

function jsonToolFor(
  format: Extract<ResponseFormat, { type: "json_schema" }>,
  tools: EncodedTools,
  canForce: boolean,
  dropped: Set<string>,
): EncodedFormat {
  const { type } = format.schema;
  if (type !== undefined && type !== "object") {
    unavailable("response_format.json_schema.schema", "the schema has to describe an object");
  }
  const jsonTool = freeName(tools.tools);
  const tool: Block = {
    name: jsonTool,
    description: format.description ?? "Gives the answer. Call it exactly once, with the whole answer as its input.",
    input_schema: { ...format.schema, type: "object" },
  };
  const asked = tools.choice?.["type"];
  const hasUserTools = tools.tools.length > 0 && asked !== "none";
  if (!canForce) {
    dropped.add("response_format");
    const instruction = `Give the final answer by calling the tool "${jsonTool}", not as text.`;
    return { tool, jsonTool, instruction, choice: { type: "auto", disable_parallel_tool_use: true } };
  }
  if (asked === "tool") return { tool, jsonTool };
  const choice = hasUserTools ? { type: "any" } : { type: "tool", name: jsonTool };
  return { tool, jsonTool, choice: { ...choice, disable_parallel_tool_use: true } };
}

function freeName(tools: readonly Block[]): string {
  let name = "json";
  for (let i = 2; tools.some((tool) => tool["name"] === name); i++) name = `json_${i}`;
  return name;
}
