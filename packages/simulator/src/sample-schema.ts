import { arrayOf, isObject, type Json, type JsonObject } from "./json.ts";
import { pick, type Random } from "./seeded-random.ts";

const WORDS = ["harbour", "lantern", "meadow", "copper", "willow", "anchor", "ember", "cobalt"] as const;
const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "2026-11-20T09:30:00Z",
  date: "2026-11-20",
  time: "09:30:00Z",
  duration: "PT30M",
  email: "ada@example.com",
  hostname: "example.com",
  uri: "https://example.com/a",
  url: "https://example.com/a",
  ipv4: "192.0.2.10",
  ipv6: "2001:db8::10",
  uuid: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
};
const DEEP = 5;
const MAX_ITEMS = 64;

/** Values to prefer, so that an instance fits what the prompt says. */
export interface SampleHints {
  /** Taken for an enum that has one of these, compared without case. */
  readonly enums: readonly string[];
  /** Taken for a free string property, by property name. */
  stringFor(property: string): string | null;
}

/** Builds a deterministic instance that validates against the schema (no `pattern`, `not` or `if`). */
export function sampleSchema(schema: JsonObject, random: Random, hints: SampleHints): Json {
  return sample(schema, { root: schema, random, hints, depth: 0, property: "" });
}

interface Sampling {
  readonly root: JsonObject;
  readonly random: Random;
  readonly hints: SampleHints;
  readonly depth: number;
  readonly property: string;
}

function sample(declared: Json | undefined, at: Sampling): Json {
  if (!isObject(declared)) return pick(at.random, WORDS);
  const schema = resolve(declared, at.root);
  if (schema["const"] !== undefined) return schema["const"];
  const options = arrayOf(schema["enum"]);
  if (options.length > 0) return chooseEnum(options, at);
  const branches = [...arrayOf(schema["anyOf"]), ...arrayOf(schema["oneOf"])];
  if (branches.length > 0) return sample(chooseBranch(branches, at), at);
  switch (typeOf(schema)) {
    case "object":
      return sampleObject(schema, at);
    case "array":
      return sampleArray(schema, at);
    case "integer":
    case "number":
      return sampleNumber(schema, at, typeOf(schema) === "integer");
    case "boolean":
      return at.random() < 0.5;
    case "null":
      return null;
    default:
      return sampleString(schema, at);
  }
}

/** Follows local references and folds `allOf` into one schema. */
function resolve(declared: JsonObject, root: JsonObject): JsonObject {
  let schema = declared;
  for (let hops = 0; hops < 16 && typeof schema["$ref"] === "string"; hops++) {
    const target = lookUp(root, schema["$ref"]);
    const { $ref: _ref, ...rest } = schema;
    schema = isObject(target) ? { ...target, ...rest } : rest;
  }
  for (const part of arrayOf(schema["allOf"])) {
    if (!isObject(part)) continue;
    const merged = resolve(part, root);
    const { allOf: _allOf, ...rest } = schema;
    const properties = { ...asObject(merged["properties"]), ...asObject(rest["properties"]) };
    const required = [...arrayOf(merged["required"]), ...arrayOf(rest["required"])];
    schema = { ...merged, ...rest, properties, required };
  }
  return schema;
}

function lookUp(root: JsonObject, reference: string): Json | undefined {
  if (!reference.startsWith("#")) return undefined;
  let node: Json | undefined = root;
  for (const raw of reference.slice(1).split("/").filter(Boolean)) {
    const key = decodeURIComponent(raw).replaceAll("~1", "/").replaceAll("~0", "~");
    node = isObject(node) ? node[key] : arrayOf(node)[Number(key)];
  }
  return node;
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function typeOf(schema: JsonObject): string {
  const type = schema["type"];
  if (typeof type === "string") return type;
  const first = arrayOf(type).find((name) => name !== "null");
  if (typeof first === "string") return first;
  if (schema["properties"] !== undefined || schema["required"] !== undefined) return "object";
  if (schema["items"] !== undefined) return "array";
  if (schema["minimum"] !== undefined || schema["maximum"] !== undefined) return "number";
  return "string";
}

function chooseEnum(options: readonly Json[], at: Sampling): Json {
  const wanted = at.hints.enums.map((word) => word.toLowerCase());
  const hit = options.find((option) => typeof option === "string" && wanted.includes(option.toLowerCase()));
  return hit ?? options[Math.floor(at.random() * options.length)] ?? null;
}

/** Prefers a branch that ends recursion once the instance is deep. */
function chooseBranch(branches: readonly Json[], at: Sampling): Json {
  const shallow = branches.find((branch) => isObject(branch) && branch["$ref"] === undefined && !hasObject(branch));
  if (at.depth >= DEEP && shallow !== undefined) return shallow;
  const filled = branches.find((branch) => !isObject(branch) || branch["type"] !== "null");
  return filled ?? branches[0] ?? null;
}

function hasObject(branch: JsonObject): boolean {
  return branch["type"] === "object" || branch["type"] === "array" || branch["properties"] !== undefined;
}

function sampleObject(schema: JsonObject, at: Sampling): Json {
  const properties = asObject(schema["properties"]);
  const required = new Set(arrayOf(schema["required"]).filter((name) => typeof name === "string"));
  const out: { [key: string]: Json } = {};
  for (const [name, property] of Object.entries(properties)) {
    if (at.depth >= DEEP && !required.has(name)) continue;
    out[name] = sample(property, { ...at, depth: at.depth + 1, property: name });
  }
  for (const name of required) {
    if (out[name] !== undefined) continue;
    out[name] = sample(schema["additionalProperties"], { ...at, depth: at.depth + 1, property: name });
  }
  return out;
}

function sampleArray(schema: JsonObject, at: Sampling): Json {
  const least = numberOr(schema["minItems"], at.depth >= DEEP ? 0 : 2);
  const length = Math.min(least, numberOr(schema["maxItems"], MAX_ITEMS), MAX_ITEMS);
  const tuple = arrayOf(schema["prefixItems"]);
  const inner = { ...at, depth: at.depth + 1 };
  const out: Json[] = tuple.map((item) => sample(item, inner));
  const seen = new Set(out.map((item) => JSON.stringify(item)));
  for (let tries = 0; out.length < length && tries < MAX_ITEMS * 4; tries++) {
    const item = sample(schema["items"], inner);
    const key = JSON.stringify(item);
    if (schema["uniqueItems"] === true && seen.has(key)) continue;
    seen.add(key);
    out.push(item);
  }
  return out;
}

function sampleNumber(schema: JsonObject, at: Sampling, integer: boolean): number {
  const step = numberOr(schema["multipleOf"], integer ? 1 : 0.5);
  const above = schema["exclusiveMinimum"];
  const below = schema["exclusiveMaximum"];
  const low = typeof above === "number" ? above + step / 2 : numberOr(schema["minimum"], Number.NEGATIVE_INFINITY);
  const high = typeof below === "number" ? below - step / 2 : numberOr(schema["maximum"], Number.POSITIVE_INFINITY);
  const from = low === Number.NEGATIVE_INFINITY ? Math.min(1, high) : low;
  const first = Math.ceil(from / step);
  const room = high === Number.POSITIVE_INFINITY ? 40 : Math.floor(high / step) - first;
  const value = (first + Math.floor(at.random() * (Math.min(Math.max(room, 0), 40) + 1))) * step;
  return value >= low && value <= high ? Number(value.toPrecision(12)) : (low + Math.min(high, low + 1)) / 2;
}

function sampleString(schema: JsonObject, at: Sampling): string {
  const format = schema["format"];
  if (typeof format === "string" && FORMATS[format] !== undefined) return FORMATS[format];
  if (typeof schema["default"] === "string") return schema["default"];
  let text = at.hints.stringFor(at.property) ?? pick(at.random, WORDS);
  const least = Math.min(numberOr(schema["minLength"], 0), 10_000);
  while (text.length < least) text += `-${pick(at.random, WORDS)}`;
  const most = numberOr(schema["maxLength"], Number.POSITIVE_INFINITY);
  return text.length > most ? text.slice(0, most) : text;
}

function numberOr(value: Json | undefined, fallback: number): number {
  return typeof value === "number" ? value : fallback;
}
