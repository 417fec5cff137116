import { arrayOf, isObject, type Json, type JsonObject, textOf } from "../json.ts";
import type { RefusedRequest } from "../refused-request.ts";
import { invalid } from "./messages-error.ts";
import type { ModelProfile } from "./model-profile.ts";

const FIELDS = new Set(
  `max_tokens messages model cache_control container diagnostics inference_geo metadata output_config service_tier speed
  stop_sequences stream system thinking tool_choice tools temperature top_p top_k user_profile_id workspace_id`.split(
    /\s+/,
  ),
);
const BETA_FIELDS = new Set(["context_management", "mcp_servers", "fallbacks"]);
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;
/** From this version on, no model takes sampling parameters. */
const NO_SAMPLING_VERSION = "2026-10-21";

/** What the checks need to know besides the body. */
export interface CheckInput {
  readonly body: JsonObject;
  readonly profile: ModelProfile;
  readonly version: string;
  readonly beta: boolean;
  /** Counting tokens needs no `max_tokens`. */
  readonly counting: boolean;
}

/** Checks everything of a Messages request except the turns; returns the first refusal. */
export function checkRequest(input: CheckInput): RefusedRequest | null {
  return (
    checkFields(input) ??
    checkSampling(input) ??
    checkTools(input) ??
    checkThinking(input) ??
    checkOutput(input) ??
    checkRest(input)
  );
}

function checkFields({ body, beta, counting }: CheckInput): RefusedRequest | null {
  if (typeof body["model"] !== "string" || body["model"] === "") return invalid("model: Field required");
  if (body["messages"] === undefined) return invalid("messages: Field required");
  for (const field of Object.keys(body)) {
    const known = FIELDS.has(field) || (beta && BETA_FIELDS.has(field));
    if (!known) return invalid(`${field}: Extra inputs are not permitted`);
  }
  const limit = body["max_tokens"];
  if (limit === undefined) return counting ? null : invalid("max_tokens: Field required");
  if (typeof limit !== "number" || !Number.isInteger(limit))
    return invalid("max_tokens: Input should be a valid integer");
  return limit < 1 ? invalid("max_tokens: Input should be greater than or equal to 1") : null;
}

function checkSampling({ body, profile, version }: CheckInput): RefusedRequest | null {
  for (const field of ["temperature", "top_p"]) {
    const value = body[field];
    if (value === undefined) continue;
    if (typeof value !== "number") return invalid(`${field}: Input should be a valid number`);
    if (value < 0) return invalid(`${field}: Input should be greater than or equal to 0`);
    if (value > 1) return invalid(`${field}: Input should be less than or equal to 1`);
  }
  const sent = ["temperature", "top_p", "top_k"].filter((field) => body[field] !== undefined);
  if (version >= NO_SAMPLING_VERSION && sent[0] !== undefined)
    return invalid(`${sent[0]}: Extra inputs are not permitted`);
  if (profile.sampling === "none") {
    const bad = sent.find(
      (field) => field === "top_k" || (field === "temperature" ? body[field] !== 1 : Number(body[field]) < 0.99),
    );
    if (bad !== undefined) return invalid(`\`${bad}\` is not supported by this model.`);
  }
  if (profile.sampling === "one" && sent.includes("temperature") && sent.includes("top_p")) {
    return invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.");
  }
  return null;
}

function checkTools({ body, profile }: CheckInput): RefusedRequest | null {
  const tools = arrayOf(body["tools"]);
  const names = new Set<string>();
  for (const [index, tool] of tools.entries()) {
    const refused = checkTool(tool, index, names);
    if (refused !== null) return refused;
  }
  const choice = body["tool_choice"];
  if (choice === undefined) return null;
  const type = isObject(choice) ? textOf(choice["type"]) : "";
  if (!isObject(choice) || !["auto", "any", "tool", "none"].includes(type)) {
    return invalid(
      `tool_choice: Input tag '${type}' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'`,
    );
  }
  if (tools.length === 0) return invalid("tool_choice may only be specified while providing tools.");
  if (type === "tool" && !names.has(textOf(choice["name"]))) {
    return invalid(`Tool '${textOf(choice["name"])}' not found in provided tools`);
  }
  if (type === "none" && choice["disable_parallel_tool_use"] !== undefined) {
    return invalid("tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted");
  }
  if (type !== "any" && type !== "tool") return null;
  if (!profile.forcedTool) return invalid("tool_choice forces tool use, which is not supported by this model.");
  const thinking = body["thinking"];
  return isObject(thinking) && thinking["type"] === "enabled"
    ? invalid("Thinking may not be enabled when tool_choice forces tool use.")
    : null;
}

function checkTool(tool: Json, index: number, names: Set<string>): RefusedRequest | null {
  const at = `tools.${index}`;
  if (!isObject(tool)) return invalid(`${at}: Input should be a valid dictionary`);
  const name = textOf(tool["name"]);
  if (names.has(name)) return invalid("tools: Tool names must be unique.");
  names.add(name);
  if (tool["type"] !== undefined && tool["type"] !== "custom") return null;
  for (const field of Object.keys(tool)) {
    if (
      ![
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "input_examples",
        "defer_loading",
        "eager_input_streaming",
        "allowed_callers",
      ].includes(field)
    ) {
      return invalid(`${at}.custom.${field}: Extra inputs are not permitted`);
    }
  }
  if (!TOOL_NAME.test(name)) return invalid(`${at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
  const schema = tool["input_schema"];
  if (!isObject(schema)) return invalid(`${at}.custom.input_schema: Field required`);
  if (schema["type"] === undefined) return invalid(`${at}.custom.input_schema.type: Field required`);
  if (schema["type"] !== "object") return invalid(`${at}.custom.input_schema.type: Input should be 'object'`);
  if (["anyOf", "oneOf", "allOf"].some((key) => schema[key] !== undefined)) {
    return invalid(`${at}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level`);
  }
  return tool["strict"] === true ? checkClosed(schema, `${at}.custom`) : null;
}

function checkThinking({ body, profile, counting }: CheckInput): RefusedRequest | null {
  const thinking = body["thinking"];
  if (thinking === undefined) return null;
  const type = isObject(thinking) ? textOf(thinking["type"]) : "";
  if (!isObject(thinking) || !["enabled", "disabled", "adaptive", "between_tools"].includes(type)) {
    return invalid(
      `thinking: Input tag '${type}' found using 'type' does not match any of the expected tags: 'adaptive', 'between_tools', 'disabled', 'enabled'`,
    );
  }
  if (!profile.thinking.includes(type)) {
    if (type === "adaptive") return invalid("adaptive thinking is not supported on this model");
    const advice =
      type === "enabled"
        ? ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        : "";
    return invalid(`"thinking.type.${type}" is not supported for this model.${advice}`);
  }
  if (type === "disabled" && profile.thinksByDefault && ["xhigh", "max"].includes(effortOf(body))) {
    return invalid(`"thinking.type.disabled" is not supported with effort "${effortOf(body)}" for this model.`);
  }
  if (type !== "enabled") return null;
  const budget = thinking["budget_tokens"];
  if (typeof budget !== "number") return invalid("thinking.enabled.budget_tokens: Field required");
  if (budget < 1024) return invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
  if (!counting && budget >= Number(body["max_tokens"])) {
    return invalid(
      "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
    );
  }
  if (body["temperature"] !== undefined && body["temperature"] !== 1) {
    return invalid("`temperature` may only be set to 1 when thinking is enabled.");
  }
  return body["top_k"] === undefined ? null : invalid("`top_k` must be unset when thinking is enabled.");
}

function effortOf(body: JsonObject): string {
  return isObject(body["output_config"]) ? textOf(body["output_config"]["effort"]) : "";
}

function checkOutput({ body, profile }: CheckInput): RefusedRequest | null {
  const config = body["output_config"];
  if (config === undefined) return null;
  if (!isObject(config)) return invalid("output_config: Input should be a valid dictionary");
  for (const field of Object.keys(config)) {
    if (!["effort", "format", "task_budget"].includes(field))
      return invalid(`output_config.${field}: Extra inputs are not permitted`);
  }
  const effort = config["effort"];
  if (effort != null && !profile.efforts.includes(textOf(effort))) {
    return profile.efforts.length === 0
      ? invalid("This model does not support the effort parameter.")
      : invalid(`output_config.effort: Input should be ${profile.efforts.map((one) => `'${one}'`).join(", ")}`);
  }
  const format = config["format"];
  if (format == null) return null;
  if (!isObject(format) || format["type"] !== "json_schema") {
    return invalid("output_config.format.type: Input should be 'json_schema'");
  }
  if (!isObject(format["schema"])) return invalid("output_config.format.schema: Field required");
  return checkClosed(format["schema"], "output_config.format.schema");
}

const REFUSED_KEYWORDS = [
  "minimum",
  "maximum",
  "multipleOf",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "minLength",
  "maxLength",
  "maxItems",
];

/** Checks the schema subset of structured output and strict tools. */
function checkClosed(schema: JsonObject, at: string, depth = 0): RefusedRequest | null {
  const type = textOf(schema["type"]);
  const bad = REFUSED_KEYWORDS.filter((keyword) => schema[keyword] !== undefined);
  if (bad.length > 0) return invalid(`${at}: For '${type}' type, properties ${bad.join(", ")} are not supported`);
  if (Number(schema["minItems"] ?? 0) > 1)
    return invalid(`${at}: For 'array' type, 'minItems' values other than 0 or 1 are not supported`);
  if (schema["oneOf"] !== undefined) return invalid(`${at}: Schema type 'oneOf' is not supported`);
  if ((type === "object" || isObject(schema["properties"])) && schema["additionalProperties"] !== false) {
    return invalid(`${at}: For 'object' type, 'additionalProperties' must be explicitly set to false`);
  }
  const nested: (Json | undefined)[] = [schema["items"], ...arrayOf(schema["anyOf"]), ...arrayOf(schema["allOf"])];
  for (const key of ["properties", "$defs", "definitions"]) {
    const group = schema[key];
    if (isObject(group)) nested.push(...Object.values(group));
  }
  for (const child of nested) {
    const refused = isObject(child) && depth < 32 ? checkClosed(child, at, depth + 1) : null;
    if (refused !== null) return refused;
  }
  return null;
}

function checkRest({ body }: CheckInput): RefusedRequest | null {
  for (const [index, stop] of arrayOf(body["stop_sequences"]).entries()) {
    if (typeof stop !== "string") return invalid(`stop_sequences.${index}: Input should be a valid string`);
    if (stop.trim() === "") return invalid("stop_sequences: each stop sequence must contain non-whitespace");
  }
  const metadata = body["metadata"];
  if (isObject(metadata)) {
    const extra = Object.keys(metadata).find((key) => key !== "user_id");
    if (extra !== undefined) return invalid(`metadata.${extra}: Extra inputs are not permitted`);
  }
  const tier = body["service_tier"];
  if (tier !== undefined && tier !== "auto" && tier !== "standard_only") {
    return invalid("service_tier: Input should be 'auto' or 'standard_only'");
  }
  return null;
}
