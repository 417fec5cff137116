import { GatewayError } from "../../core/errors.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";

/** Checks on a client's body. `path` is where the value stands; null counts as absent in every `optional…`. */

/** Refuses a value: names where it stands, what was found and what was expected. */
export function refuse(path: string, expected: string, found: unknown): never {
  const message =
    found === undefined
      ? `Missing required parameter '${path}': expected ${expected}.`
      : `Invalid value for '${path}': expected ${expected}, got ${describe(found, !mayBePrompt.test(path))}.`;
  throw new GatewayError("invalid_request", message, { param: path });
}

/** Where a text that stands in the wrong place may be a prompt, which no message may hold. */
const mayBePrompt = /^messages(?!.*\.(role|type)$)/;

function describe(value: unknown, showsText: boolean): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  switch (typeof value) {
    case "string":
      return showsText && value.length <= 40
        ? `the string ${JSON.stringify(value)}`
        : `a string of ${value.length} characters`;
    case "object":
      return "an object";
    default:
      return `the ${typeof value} ${String(value)}`;
  }
}

export function requiredString(value: unknown, path: string, expected = "a string"): string {
  if (typeof value !== "string" || value === "") refuse(path, expected, value);
  return value;
}

export function optionalString(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") refuse(path, "a string", value);
  return value;
}

export function optionalBoolean(value: unknown, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") refuse(path, "a boolean", value);
  return value;
}

export function optionalNumber(value: unknown, path: string, min: number, max: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !(value >= min && value <= max)) {
    refuse(path, `a number between ${min} and ${max}`, value);
  }
  return value;
}

export function optionalInteger(value: unknown, path: string, min: number, max?: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < min || (max !== undefined && (value as number) > max)) {
    refuse(path, max === undefined ? `an integer of at least ${min}` : `an integer between ${min} and ${max}`, value);
  }
  return value as number;
}

export function requiredObject(value: unknown, path: string, expected = "an object"): JsonObject {
  if (!isObject(value)) refuse(path, expected, value);
  return value;
}

export function optionalObject(value: unknown, path: string): JsonObject | undefined {
  return value === undefined || value === null ? undefined : requiredObject(value, path);
}

export function optionalArray(value: unknown, path: string, expected = "an array"): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) refuse(path, expected, value);
  return value;
}

export function oneOf<T extends string>(value: unknown, path: string, words: readonly T[]): T {
  if (!words.includes(value as T)) refuse(path, `one of ${words.map((word) => `'${word}'`).join(", ")}`, value);
  return value as T;
}
