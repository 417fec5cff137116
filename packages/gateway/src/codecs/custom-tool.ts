import { isObject, type JsonObject } from "../lib/json.ts";

/** Schema by which a tool of free text stands in for a `custom` tool where only functions exist. */
export const customToolSchema: JsonObject = {
  type: "object",
  properties: { input: { type: "string" } },
  required: ["input"],
};

/** Describes a custom tool as a function; a grammar can only be told in words. */
export function customToolDescription(description: string | undefined, format: JsonObject | undefined): string {
  const parts = description === undefined || description === "" ? [] : [description];
  if (format !== undefined && format["type"] !== "text") {
    parts.push(`The value of "input" must follow this format: ${JSON.stringify(format)}`);
  }
  return parts.join("\n\n");
}

/** Takes the free text out of a stand-in's arguments; arguments of another shape are returned as they are. */
export function customToolInput(input: unknown, raw: string): string {
  return isObject(input) && typeof input["input"] === "string" ? input["input"] : raw;
}

/** Does the same for arguments that are still text. */
export function customToolInputText(text: string): string {
  try {
    return customToolInput(JSON.parse(text), text);
  } catch {
    return text;
  }
}
