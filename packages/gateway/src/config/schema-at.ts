import { configJsonSchema } from "@fairlead/contract/config-schema";
import { isObject, type JsonObject } from "../lib/json.ts";
import type { ConfigPath } from "./config-error.ts";

let root: JsonObject | undefined;

/** Made when first asked for: a config without mistakes and variables never does. */
function rootSchema(): JsonObject {
  root ??= configJsonSchema();
  return root;
}

function alternatives(schema: JsonObject): JsonObject[] {
  const options = schema["anyOf"] ?? schema["oneOf"];
  return Array.isArray(options) ? options.filter(isObject).flatMap(alternatives) : [schema];
}

function child(schema: JsonObject, segment: string | number): unknown {
  if (typeof segment === "number") return schema["items"];
  const properties = schema["properties"];
  if (isObject(properties) && Object.hasOwn(properties, segment)) return properties[segment];
  return schema["additionalProperties"];
}

/** Returns every shape the config schema allows at a path; empty where it knows no such place. */
export function schemasAt(path: ConfigPath): readonly JsonObject[] {
  let here = alternatives(rootSchema());
  for (const segment of path) {
    here = here.flatMap((schema) => {
      const next = child(schema, segment);
      return isObject(next) ? alternatives(next) : [];
    });
  }
  return here;
}

/** Returns the fixed keys a mapping at this path may have. */
export function knownKeys(path: ConfigPath): readonly string[] {
  const keys = schemasAt(path).flatMap((schema) =>
    Object.keys(isObject(schema["properties"]) ? schema["properties"] : {}),
  );
  return [...new Set(keys)];
}

/** Tells whether text belongs at this path; false also where the place is unknown. */
export function admitsText(path: ConfigPath): boolean {
  return schemasAt(path).some((schema) => schema["type"] === "string");
}

/** Tells whether nothing but a mapping belongs at this path. */
export function isMapping(path: ConfigPath): boolean {
  const schemas = schemasAt(path);
  return schemas.length > 0 && schemas.every((schema) => schema["type"] === "object");
}

const plainNames: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  object: "a mapping",
  array: "a list",
};

function describeNumber(schema: JsonObject): string {
  const kind = schema["type"] === "integer" ? "a whole number" : "a number";
  const { minimum, maximum } = schema;
  const bounded = typeof maximum === "number" && maximum < Number.MAX_SAFE_INTEGER;
  if (typeof minimum === "number" && bounded) return `${kind} from ${minimum} to ${maximum}`;
  if (typeof minimum === "number") return `${kind} of at least ${minimum}`;
  return bounded ? `${kind} of at most ${maximum}` : kind;
}

function describe(schema: JsonObject): string {
  if ("const" in schema) return String(schema["const"]);
  const options = schema["enum"];
  if (Array.isArray(options)) return `one of ${options.join(", ")}`;
  const type = String(schema["type"]);
  return type === "integer" || type === "number" ? describeNumber(schema) : (plainNames[type] ?? type);
}

/** Says in plain words what belongs at this path. */
export function expectationAt(path: ConfigPath): string {
  const words = [...new Set(schemasAt(path).map(describe))];
  return words.length === 0 ? "nothing here" : words.join(" or ");
}
