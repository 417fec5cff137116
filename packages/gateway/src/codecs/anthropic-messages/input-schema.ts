import { isObject, type JsonObject } from "../../lib/json.ts";

/** Schema of a tool that takes any object. */
export const openObjectSchema: JsonObject = { type: "object", properties: {} };

/** A tool's schema as the API takes it, and the words for what could not be said. */
export interface InputSchema {
  readonly schema: JsonObject;
  /** Present when the schema was loosened: the original, for the description. */
  readonly original?: string;
}

/**
 * Makes parameters a schema of an object. Alternatives at the top level are refused by the API: their properties are
 * merged, and the model learns the exact form from the description.
 * @see docs/spec/wire-formats.md 1.4
 */
export function toInputSchema(parameters: JsonObject | undefined): InputSchema {
  if (parameters === undefined) return { schema: openObjectSchema };
  const { anyOf, oneOf, allOf, ...rest } = parameters;
  const alternatives = [anyOf, oneOf].flatMap(branches);
  const parts = branches(allOf);
  const hasTopLevel = anyOf !== undefined || oneOf !== undefined || allOf !== undefined;
  if (!hasTopLevel)
    return {
      schema: isObject(parameters) && parameters["type"] === "object" ? parameters : { ...rest, type: "object" },
    };
  const merged: Record<string, unknown> = { ...propertiesOf(rest) };
  for (const branch of [...parts, ...alternatives]) Object.assign(merged, propertiesOf(branch));
  const required = [...new Set([rest, ...parts].flatMap(requiredOf))];
  return {
    schema: { ...rest, type: "object", properties: merged, ...(required.length > 0 && { required }) },
    original: JSON.stringify(parameters),
  };
}

function branches(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isObject(schema["properties"]) ? schema["properties"] : {};
}

function requiredOf(schema: JsonObject): unknown[] {
  return Array.isArray(schema["required"]) ? schema["required"] : [];
}
