/** Any JSON value; `undefined` members vanish when written. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object as it came from, or goes to, the wire. */
export type JsonObject = { readonly [key: string]: Json | undefined };

/** Tells a JSON object from arrays, null and scalars. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the value as an array, or an empty one. */
export function arrayOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Returns the value as a string, or an empty one. */
export function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** Parses JSON text and returns `undefined` instead of throwing. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
