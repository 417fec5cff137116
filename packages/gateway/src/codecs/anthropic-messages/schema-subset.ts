import { isObject, type JsonObject } from "../../lib/json.ts";

/** A schema in the form structured output accepts, and whether constraints had to become words. */
export interface SubsetSchema {
  readonly schema: JsonObject;
  readonly isLoosened: boolean;
}

const maxOptionalProperties = 10;
const maxUnions = 16;
const maxDepth = 64;
const removed = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
] as const;
const formats = new Set(["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]);

class Unfit extends Error {}

interface Tally {
  readonly root: JsonObject;
  isLoosened: boolean;
  optional: number;
  unions: number;
}

/**
 * Rewrites a schema into the subset of structured output: objects closed, `oneOf` as `anyOf`, unsupported constraints as
 * words in the description. Undefined when that is impossible: open objects, recursion, external references.
 * @see docs/spec/wire-formats.md 1.6
 */
export function toSubsetSchema(schema: JsonObject): SubsetSchema | undefined {
  const tally: Tally = { root: schema, isLoosened: false, optional: 0, unions: 0 };
  try {
    if (schema["type"] !== "object") return undefined;
    const fitted = fit(schema, tally, 0);
    if (tally.optional > maxOptionalProperties || tally.unions > maxUnions) return undefined;
    return { schema: fitted, isLoosened: tally.isLoosened };
  } catch (problem) {
    if (problem instanceof Unfit) return undefined;
    throw problem;
  }
}

function fit(value: unknown, tally: Tally, depth: number): JsonObject {
  if (!isObject(value) || depth > maxDepth) throw new Unfit();
  checkReference(value["$ref"], tally);
  const fitted: Record<string, unknown> = { ...value };
  const notes: string[] = [];
  for (const name of removed) note(fitted, name, notes);
  if (typeof value["minItems"] === "number" && value["minItems"] > 1) note(fitted, "minItems", notes);
  if (typeof value["format"] === "string" && !formats.has(value["format"])) note(fitted, "format", notes);
  if (Array.isArray(value["enum"]) && value["enum"].some((item) => typeof item === "object" && item !== null)) {
    throw new Unfit();
  }
  if (Array.isArray(value["type"])) tally.unions++;
  fitUnions(value, fitted, tally, depth);
  if (value["items"] !== undefined) fitted["items"] = fit(value["items"], tally, depth + 1);
  for (const holder of ["$defs", "definitions"]) {
    if (isObject(value[holder])) fitted[holder] = fitMembers(value[holder], tally, depth);
  }
  if (value["type"] === "object" || value["properties"] !== undefined) fitObject(value, fitted, tally, depth);
  if (notes.length > 0) {
    tally.isLoosened = true;
    const words = `Constraints: ${notes.join(", ")}.`;
    fitted["description"] = typeof value["description"] === "string" ? `${value["description"]} ${words}` : words;
  }
  return fitted;
}

function note(schema: Record<string, unknown>, name: string, notes: string[]): void {
  if (schema[name] === undefined) return;
  notes.push(`${name} ${JSON.stringify(schema[name])}`);
  delete schema[name];
}

function fitUnions(value: JsonObject, fitted: Record<string, unknown>, tally: Tally, depth: number): void {
  for (const name of ["anyOf", "oneOf", "allOf"]) {
    const list = value[name];
    if (list === undefined) continue;
    if (!Array.isArray(list)) throw new Unfit();
    delete fitted[name];
    if (name !== "allOf") tally.unions++;
    fitted[name === "oneOf" ? "anyOf" : name] = list.map((item) => fit(item, tally, depth + 1));
  }
}

function fitObject(value: JsonObject, fitted: Record<string, unknown>, tally: Tally, depth: number): void {
  const more = value["additionalProperties"];
  const properties = value["properties"];
  if ((more !== undefined && more !== false) || value["patternProperties"] !== undefined) throw new Unfit();
  // Nothing said about others and none named: any object is meant.
  if (more === undefined && (!isObject(properties) || Object.keys(properties).length === 0)) throw new Unfit();
  if (isObject(properties)) {
    fitted["properties"] = fitMembers(properties, tally, depth);
    const required = Array.isArray(value["required"]) ? value["required"] : [];
    tally.optional += Object.keys(properties).filter((name) => !required.includes(name)).length;
  }
  fitted["additionalProperties"] = false;
}

function fitMembers(members: JsonObject, tally: Tally, depth: number): JsonObject {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, fit(member, tally, depth + 1)]));
}

/** Lets through only local references that do not lead back to themselves. */
function checkReference(reference: unknown, tally: Tally): void {
  if (reference === undefined) return;
  const seen = new Set<string>();
  const open: unknown[] = [reference];
  while (open.length > 0) {
    const next = open.pop();
    const name = typeof next === "string" ? /^#\/(\$defs|definitions)\/([^/]+)$/.exec(next) : null;
    if (name === null || typeof next !== "string" || seen.size > 1000) throw new Unfit();
    if (seen.has(next)) continue;
    seen.add(next);
    const holder = tally.root[name[1] ?? ""];
    const found = referencesIn(isObject(holder) ? holder[name[2] ?? ""] : undefined, 0);
    if (found.includes(reference)) throw new Unfit();
    open.push(...found);
  }
}

function referencesIn(value: unknown, depth: number): unknown[] {
  if (typeof value !== "object" || value === null || depth > maxDepth) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === "$ref" ? [item as unknown] : referencesIn(item, depth + 1),
  );
}
