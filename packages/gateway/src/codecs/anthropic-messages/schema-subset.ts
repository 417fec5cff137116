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
  /** Addresses that may be referred to. */
  readonly definitions: ReadonlyMap<string, readonly unknown[]>;
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
  const definitions = definitionsOf(schema);
  if (schema["type"] !== "object" || hasRecursion(definitions)) return undefined;
  const tally: Tally = { definitions, isLoosened: false, optional: 0, unions: 0 };
  try {
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
  for (const holder of definitionHolders) {
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

const definitionHolders = ["$defs", "definitions"] as const;

/** Lets through only references to definitions of the schema itself. */
function checkReference(reference: unknown, tally: Tally): void {
  if (reference === undefined) return;
  if (typeof reference !== "string" || !tally.definitions.has(reference)) throw new Unfit();
}

/** Lists what each definition refers to, by the definition's own address. */
function definitionsOf(root: JsonObject): ReadonlyMap<string, readonly unknown[]> {
  const definitions = new Map<string, readonly unknown[]>();
  for (const holder of definitionHolders) {
    const members = root[holder];
    if (!isObject(members)) continue;
    for (const [name, member] of Object.entries(members)) {
      const references: unknown[] = [];
      collectReferences(member, references, 0);
      definitions.set(`#/${holder}/${name}`, references);
    }
  }
  return definitions;
}

function collectReferences(value: unknown, references: unknown[], depth: number): void {
  if (typeof value !== "object" || value === null || depth > maxDepth) return;
  for (const [key, item] of Object.entries(value)) {
    if (key === "$ref") references.push(item);
    else collectReferences(item, references, depth + 1);
  }
}

function add(users: Map<unknown, string[]>, reference: unknown, user: string): void {
  const list = users.get(reference);
  if (list === undefined) users.set(reference, [user]);
  else list.push(user);
}

/** Takes away definitions that refer to nothing left, again and again: what remains refers to itself. */
function hasRecursion(definitions: ReadonlyMap<string, readonly unknown[]>): boolean {
  const users = new Map<unknown, string[]>();
  const open = new Map<string, number>();
  for (const [address, references] of definitions) {
    const known = references.filter((reference) => definitions.has(reference as string));
    open.set(address, known.length);
    for (const reference of known) add(users, reference, address);
  }
  const free = [...open].filter(([, count]) => count === 0).map(([address]) => address);
  let resolved = 0;
  for (let address = free.pop(); address !== undefined; address = free.pop()) {
    resolved++;
    for (const user of users.get(address) ?? []) {
      const left = (open.get(user) ?? 0) - 1;
      open.set(user, left);
      if (left === 0) free.push(user);
    }
  }
  return resolved < definitions.size;
}
