import { arrayOf, isObject, type Json, type JsonObject, textOf } from "../json.ts";
import type { RefusedRequest } from "../refused-request.ts";
import { type ChatServer, chatError } from "./chat-error.ts";

const OPENAI_FIELDS = new Set(
  `messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
  metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options
  prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream
  stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options`.split(/\s+/),
);
/** Fields of a gateway in front; an engine that ignores unknown fields would hide the leak, so all flavours refuse. */
const GATEWAY_FIELDS = ["routing", "routing_strategy", "fairlead"];
const REASONING_MODEL = /^(o\d|gpt-5)/;
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** Checks everything of a chat request except its messages; returns the first refusal. */
export function checkChat(server: ChatServer, body: JsonObject): RefusedRequest | null {
  return (
    checkFields(server, body) ?? checkNumbers(server, body) ?? checkTools(server, body) ?? checkFormat(server, body)
  );
}

function checkFields(server: ChatServer, body: JsonObject): RefusedRequest | null {
  for (const field of Object.keys(body)) {
    const unknown = server === "openai" ? !OPENAI_FIELDS.has(field) : GATEWAY_FIELDS.includes(field);
    if (unknown)
      return chatError(server, 400, `Unknown parameter: '${field}'.`, { param: field, code: "unknown_parameter" });
  }
  if (typeof body["model"] !== "string" || body["model"] === "") {
    return chatError(server, 400, "you must provide a model parameter", { param: "model" });
  }
  if (body["stream"] !== true && isObject(body["stream_options"])) {
    const vllm = "Stream options can only be defined when `stream=True`.";
    const openai = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
    if (server === "vllm" || server === "openai") {
      return chatError(server, 400, server === "vllm" ? vllm : openai, { param: "stream_options" });
    }
  }
  return server === "openai" ? checkReasoningModel(body) : null;
}

function checkReasoningModel(body: JsonObject): RefusedRequest | null {
  if (body["max_tokens"] != null && body["max_completion_tokens"] != null) {
    const words = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
    return chatError("openai", 400, words, { param: "max_tokens", code: "invalid_parameter_combination" });
  }
  if (!REASONING_MODEL.test(textOf(body["model"]))) return null;
  if (body["max_tokens"] != null) {
    const words =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    return chatError("openai", 400, words, { param: "max_tokens", code: "unsupported_parameter" });
  }
  if (body["stop"] != null) {
    const words = "Unsupported parameter: 'stop' is not supported with this model.";
    return chatError("openai", 400, words, { param: "stop", code: "unsupported_parameter" });
  }
  for (const field of ["temperature", "top_p"]) {
    if (body[field] == null || body[field] === 1) continue;
    const words = `Unsupported value: '${field}' does not support ${body[field]} with this model. Only the default (1) value is supported.`;
    return chatError("openai", 400, words, { param: field, code: "unsupported_value" });
  }
  return null;
}

const RANGES: readonly (readonly [string, number, number])[] = [
  ["temperature", 0, 2],
  ["top_p", 0, 1],
  ["presence_penalty", -2, 2],
  ["frequency_penalty", -2, 2],
  ["max_tokens", 1, Number.POSITIVE_INFINITY],
  ["max_completion_tokens", 1, Number.POSITIVE_INFINITY],
  ["n", 1, 128],
];

function checkNumbers(server: ChatServer, body: JsonObject): RefusedRequest | null {
  for (const [field, least, most] of RANGES) {
    const value = body[field];
    if (value == null) continue;
    if (typeof value !== "number") {
      const words = `Invalid type for '${field}': expected a number, but got ${nameOf(value)} instead.`;
      return chatError(server, 400, words, { param: field, code: "invalid_type" });
    }
    if (value >= least && value <= most) continue;
    if (server !== "openai") return chatError(server, 400, rangeWords(field, least, most, value), { param: field });
    const kind = field.includes("tokens") || field === "n" ? "integer" : "decimal";
    const side = value < least ? "below minimum" : "above maximum";
    const words = `Invalid '${field}': ${kind} ${side} value. Expected a value ${value < least ? `>= ${least}` : `<= ${most}`}, but got ${value} instead.`;
    const code = `${kind}_${side.replace(" ", "_")}_value`;
    return chatError(server, 400, words, { param: field, code });
  }
  return null;
}

function rangeWords(field: string, least: number, most: number, value: number): string {
  if (least === 1 && most === Number.POSITIVE_INFINITY) return `${field} must be at least 1, got ${value}.`;
  if (field === "temperature") return `temperature must be non-negative, got ${value}.`;
  return `${field} must be in [${least}, ${most}], got ${value}.`;
}

function checkTools(server: ChatServer, body: JsonObject): RefusedRequest | null {
  const tools = body["tools"];
  const none = tools == null || (Array.isArray(tools) && tools.length === 0 && server !== "openai");
  if (none) {
    if (server !== "openai" && server !== "vllm") return null;
    if (server === "vllm" && (body["tool_choice"] == null || body["tool_choice"] === "none")) return null;
    for (const field of ["tool_choice", "parallel_tool_calls"]) {
      if (body[field] == null || (server === "vllm" && field !== "tool_choice")) continue;
      const words =
        server === "vllm"
          ? "When using `tool_choice`, `tools` must be set."
          : `Invalid value for '${field}': '${field}' is only allowed when 'tools' are specified.`;
      return chatError(server, 400, words, { param: field });
    }
    return null;
  }
  if (!Array.isArray(tools) || tools.length === 0) {
    const words =
      "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
    return chatError(server, 400, words, { param: "tools", code: "empty_array" });
  }
  for (const [index, tool] of tools.entries()) {
    const refused = checkTool(server, tool, `tools[${index}]`);
    if (refused !== null) return refused;
  }
  return checkChoice(server, body, tools);
}

function checkTool(server: ChatServer, tool: Json, at: string): RefusedRequest | null {
  const call = isObject(tool) ? tool["function"] : undefined;
  if (!isObject(tool) || tool["type"] !== "function" || !isObject(call)) {
    return chatError(server, 400, `Missing required parameter: '${at}.function'.`, {
      param: `${at}.function`,
      code: "missing_required_parameter",
    });
  }
  const name = textOf(call["name"]);
  if (!TOOL_NAME.test(name)) {
    const words = `Invalid '${at}.function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`;
    return chatError(server, 400, words, { param: `${at}.function.name`, code: "invalid_value" });
  }
  const schema = call["parameters"];
  if (schema == null || (isObject(schema) && (schema["type"] === "object" || server === "ollama"))) return null;
  const got = isObject(schema) && schema["type"] !== undefined ? `"${textOf(schema["type"])}"` : '"None"';
  const words = `Invalid schema for function '${name}': schema must be a JSON Schema of 'type: "object"', got 'type: ${got}'.`;
  return chatError(server, 400, words, { param: `${at}.function.parameters`, code: "invalid_function_parameters" });
}

function checkChoice(server: ChatServer, body: JsonObject, tools: readonly Json[]): RefusedRequest | null {
  const choice = body["tool_choice"];
  if (choice == null || choice === "auto" || choice === "none" || choice === "required") return null;
  const named = isObject(choice) && isObject(choice["function"]) ? textOf(choice["function"]["name"]) : null;
  const offered = tools.some(
    (tool) => isObject(tool) && isObject(tool["function"]) && tool["function"]["name"] === named,
  );
  if (named !== null && offered) return null;
  const words =
    named === null
      ? `Invalid value for 'tool_choice': ${JSON.stringify(choice)}.`
      : `Tool choice '${named}' not found in 'tools' parameter.`;
  return chatError(server, 400, words, { param: "tool_choice" });
}

function checkFormat(server: ChatServer, body: JsonObject): RefusedRequest | null {
  const format = body["response_format"];
  if (format == null) return null;
  const type = isObject(format) ? textOf(format["type"]) : "";
  if (type === "text") return null;
  if (type === "json_schema" && isObject(format)) {
    const wrapped = format["json_schema"];
    const schema = isObject(wrapped) ? wrapped["schema"] : undefined;
    if (isObject(schema) && isObject(wrapped) && textOf(wrapped["name"]) !== "") {
      return server === "openai" && wrapped["strict"] === true
        ? checkStrict(schema, textOf(wrapped["name"]), [])
        : null;
    }
    if (server === "llamacpp" && isObject(format["schema"])) return null;
    const param = isObject(wrapped) ? "response_format.json_schema.name" : "response_format.json_schema";
    return chatError(server, 400, `Missing required parameter: '${param}'.`, {
      param,
      code: "missing_required_parameter",
    });
  }
  if (type !== "json_object") {
    const words = `Invalid value: '${type}'. Supported values are: 'json_object', 'json_schema', and 'text'.`;
    return chatError(server, 400, words, { param: "response_format.type", code: "invalid_value" });
  }
  if (server !== "openai" || /json/i.test(JSON.stringify(arrayOf(body["messages"])))) return null;
  const words = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
  return chatError(server, 400, words, { param: "messages" });
}

/** Checks OpenAI's strict subset: closed objects whose properties are all required. */
function checkStrict(schema: JsonObject, name: string, path: readonly string[]): RefusedRequest | null {
  const refuse = (problem: string) => {
    const where = `In context=${path.length === 0 ? "()" : `('${path.join("', '")}')`}, ${problem}`;
    const words = `Invalid schema for response_format '${name}': ${where}`;
    return chatError("openai", 400, words, { param: "response_format" });
  };
  const properties = schema["properties"];
  if (schema["type"] === "object" || isObject(properties)) {
    if (schema["additionalProperties"] !== false) {
      return refuse("'additionalProperties' is required to be supplied and to be false.");
    }
    const required = arrayOf(schema["required"]);
    const missing = Object.keys(isObject(properties) ? properties : {}).find((key) => !required.includes(key));
    if (missing !== undefined) {
      return refuse(
        `'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`,
      );
    }
  }
  const nested: [string, Json | undefined][] = [["items", schema["items"]]];
  for (const key of ["properties", "$defs"]) {
    const group = schema[key];
    for (const [child, value] of Object.entries(isObject(group) ? group : {}))
      nested.push([`${key}', '${child}`, value]);
  }
  for (const [index, branch] of arrayOf(schema["anyOf"]).entries()) nested.push([`anyOf', '${index}`, branch]);
  for (const [key, value] of nested) {
    const refused = isObject(value) && path.length < 32 ? checkStrict(value, name, [...path, key]) : null;
    if (refused !== null) return refused;
  }
  return null;
}

function nameOf(value: Json): string {
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}
