import type { ChatTool, ResponseFormat, ToolChoice } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import {
  oneOf,
  optionalArray,
  optionalBoolean,
  optionalObject,
  optionalString,
  refuse,
  requiredObject,
  requiredString,
} from "./check.ts";
import { decodeCacheHint } from "./decode-content.ts";

/** Decodes `tools` and the old `functions`. A provider's own tool is kept as sent. */
export function decodeTools(body: JsonObject): ChatTool[] {
  const tools = optionalArray(body["tools"], "tools", "an array of tools") ?? [];
  const functions = optionalArray(body["functions"], "functions", "an array of functions") ?? [];
  return [
    ...tools.map((item, i) => decodeTool(item, `tools[${i}]`)),
    ...functions.map((item, i) => decodeFunctionTool(requiredObject(item, `functions[${i}]`), `functions[${i}]`, {})),
  ];
}

function decodeTool(item: unknown, path: string): ChatTool {
  const tool = requiredObject(item, path, "a tool object");
  const type = requiredString(tool["type"], `${path}.type`, "'function', 'custom' or a provider's tool type");
  switch (type) {
    case "function": {
      const definition = requiredObject(tool["function"], `${path}.function`, "an object with the function's name");
      return decodeFunctionTool(definition, `${path}.function`, tool);
    }
    case "custom": {
      const custom = requiredObject(tool["custom"], `${path}.custom`, "an object with the tool's name");
      const description = optionalString(custom["description"], `${path}.custom.description`);
      const format = optionalObject(custom["format"], `${path}.custom.format`);
      return {
        type: "custom",
        name: requiredString(custom["name"], `${path}.custom.name`, "the tool's name"),
        ...(description !== undefined && { description }),
        ...(format !== undefined && { format }),
      };
    }
    default:
      return { type: "server", raw: tool };
  }
}

function decodeFunctionTool(definition: JsonObject, path: string, holder: JsonObject): ChatTool {
  const description = optionalString(definition["description"], `${path}.description`);
  const parameters = optionalObject(definition["parameters"], `${path}.parameters`);
  if (parameters !== undefined) checkParameters(parameters, `${path}.parameters`);
  const strict = optionalBoolean(definition["strict"], `${path}.strict`);
  return {
    type: "function",
    name: requiredString(definition["name"], `${path}.name`, "the function's name"),
    ...(description !== undefined && { description }),
    ...(parameters !== undefined && { parameters }),
    ...(strict !== undefined && { strict }),
    ...decodeCacheHint(definition),
    ...decodeCacheHint(holder),
  };
}

/** Catches what every upstream refuses, so that the client hears it with a path. */
function checkParameters(schema: JsonObject, path: string): void {
  const { type, properties, required } = schema;
  if (type !== undefined && type !== "object") refuse(`${path}.type`, "'object'", type);
  if (properties !== undefined) requiredObject(properties, `${path}.properties`, "an object of JSON schemas");
  if (required === undefined || required === null) return;
  const isList = Array.isArray(required) && required.every((name) => typeof name === "string");
  if (!isList) refuse(`${path}.required`, "an array of property names", required);
}

/** Decodes `tool_choice` or the old `function_call`; a forced choice must name a tool that is there. */
export function decodeToolChoice(body: JsonObject, tools: readonly ChatTool[]): ToolChoice | undefined {
  const legacy = body["tool_choice"] === undefined || body["tool_choice"] === null;
  const path = legacy ? "function_call" : "tool_choice";
  const value = body[path];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") {
    const words = legacy ? (["none", "auto"] as const) : (["none", "auto", "required"] as const);
    const type = oneOf<"none" | "auto" | "required">(value, path, words);
    if (type === "required" && tools.length === 0) refuse(path, "no forced choice, as 'tools' is empty", value);
    return { type };
  }
  const choice = requiredObject(value, path, "'none', 'auto', 'required' or an object that names a tool");
  if (legacy) return { type: "named", name: knownTool(choice["name"], `${path}.name`, tools) };
  const type = oneOf(choice["type"], `${path}.type`, ["function", "custom", "allowed_tools"] as const);
  if (type === "allowed_tools") return decodeAllowed(choice, path, tools);
  const named = requiredObject(choice[type], `${path}.${type}`);
  return { type: "named", name: knownTool(named["name"], `${path}.${type}.name`, tools) };
}

function decodeAllowed(choice: JsonObject, path: string, tools: readonly ChatTool[]): ToolChoice {
  const allowedPath = `${path}.allowed_tools`;
  const allowed = requiredObject(choice["allowed_tools"], allowedPath);
  const list = optionalArray(allowed["tools"], `${allowedPath}.tools`);
  if (list === undefined || list.length === 0) refuse(`${allowedPath}.tools`, "a non-empty array of tools", list);
  const names = list.map((item, i) => {
    const entryPath = `${allowedPath}.tools[${i}]`;
    const entry = requiredObject(item, entryPath);
    const kind = entry["type"] === "custom" ? "custom" : "function";
    const named = requiredObject(entry[kind], `${entryPath}.${kind}`);
    return knownTool(named["name"], `${entryPath}.${kind}.name`, tools);
  });
  return { type: "allowed", mode: oneOf(allowed["mode"], `${allowedPath}.mode`, ["auto", "required"]), names };
}

function knownTool(value: unknown, path: string, tools: readonly ChatTool[]): string {
  const name = requiredString(value, path, "the name of one of 'tools'");
  const known = tools.some((tool) => (tool.type === "server" ? tool.raw["name"] : tool.name) === name);
  if (!known) refuse(path, "the name of one of 'tools'", value);
  return name;
}

export function decodeResponseFormat(value: unknown): ResponseFormat | undefined {
  const format = optionalObject(value, "response_format");
  if (format === undefined) return undefined;
  const type = oneOf(format["type"], "response_format.type", ["text", "json_object", "json_schema"] as const);
  if (type !== "json_schema") return { type };
  const path = "response_format.json_schema";
  const wrapped = requiredObject(format["json_schema"], path);
  const strict = optionalBoolean(wrapped["strict"], `${path}.strict`);
  const description = optionalString(wrapped["description"], `${path}.description`);
  return {
    type,
    name: requiredString(wrapped["name"], `${path}.name`, "a name for the format"),
    schema: requiredObject(wrapped["schema"], `${path}.schema`, "a JSON schema object"),
    ...(strict !== undefined && { strict }),
    ...(description !== undefined && { description }),
  };
}
