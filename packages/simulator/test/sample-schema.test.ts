import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { arrayOf, isObject, type Json, type JsonObject } from "../src/json.ts";
import { sampleSchema } from "../src/sample-schema.ts";
import { seededRandom } from "../src/seeded-random.ts";
import { countTokens, splitTokens, takeTokens } from "../src/tokenizer.ts";

const HINTS = { enums: [], stringFor: () => null };

const leaf: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.record({
    type: fc.constant("integer"),
    minimum: fc.integer({ min: -50, max: 50 }),
    maximum: fc.integer({ min: 51, max: 60 }),
  }),
  fc.record({
    type: fc.constant("number"),
    exclusiveMinimum: fc.integer({ min: -9, max: 9 }),
    exclusiveMaximum: fc.integer({ min: 10, max: 12 }),
  }),
  fc.record({ type: fc.constant("string"), minLength: fc.nat(30), maxLength: fc.integer({ min: 30, max: 40 }) }),
  fc.constant({ type: "boolean" }),
  fc.constant({ type: "null" }),
  fc.record({ enum: fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 4 }) }),
  fc.record({ const: fc.string() }),
);
const { schema } = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.record({ type: fc.constant("array"), items: tie("schema"), minItems: fc.nat(3) }),
    fc.record({ anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 3 }) }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), tie("schema"), { maxKeys: 4 }).map((properties) => ({
      type: "object",
      properties,
      required: Object.keys(properties),
      additionalProperties: false,
    })),
  ),
}));

/** A validator of its own for the keywords above. */
function validates(value: Json, against: JsonObject): boolean {
  if (against["const"] !== undefined) return value === against["const"];
  if (against["enum"] !== undefined) return arrayOf(against["enum"]).includes(value);
  if (against["anyOf"] !== undefined)
    return arrayOf(against["anyOf"]).some((one) => isObject(one) && validates(value, one));
  const limit = (key: string, fallback: number) => Number(against[key] ?? fallback);
  switch (against["type"]) {
    case "integer":
    case "number":
      return (
        typeof value === "number" &&
        (against["type"] === "number" || Number.isInteger(value)) &&
        value >= limit("minimum", -Infinity) &&
        value <= limit("maximum", Infinity) &&
        value > limit("exclusiveMinimum", -Infinity) &&
        value < limit("exclusiveMaximum", Infinity)
      );
    case "string":
      return (
        typeof value === "string" &&
        value.length >= limit("minLength", 0) &&
        value.length <= limit("maxLength", Infinity)
      );
    case "boolean":
      return typeof value === "boolean";
    case "null":
      return value === null;
    case "array":
      return (
        Array.isArray(value) &&
        value.length >= limit("minItems", 0) &&
        value.every((item) => validates(item, against["items"] as JsonObject))
      );
    default: {
      const properties = against["properties"] as { readonly [key: string]: JsonObject };
      const names = Object.keys(properties);
      return (
        isObject(value) &&
        Object.keys(value).length === names.length &&
        names.every((name) => validates(value[name] ?? null, properties[name]!))
      );
    }
  }
}

describe("schema instances", () => {
  test("validate, and repeat for a seed", () => {
    fc.assert(
      fc.property(schema, fc.string(), (declared, seed) => {
        const value = sampleSchema(declared, seededRandom(seed), HINTS);
        expect(sampleSchema(declared, seededRandom(seed), HINTS)).toEqual(value);
        expect(validates(value, declared)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("end recursion through $ref and fold allOf", () => {
    const tree: JsonObject = {
      $ref: "#/$defs/node",
      $defs: {
        named: { type: "object", properties: { name: { const: "n" } }, required: ["name"] },
        node: {
          allOf: [{ $ref: "#/$defs/named" }],
          properties: { next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
          required: ["next"],
        },
      },
    };
    const text = JSON.stringify(sampleSchema(tree, seededRandom("x"), HINTS));
    expect(text).toStartWith('{"name":"n","next":{"name":"n"');
    expect(text).toEndWith('"next":null}}}}}');
  });
});

describe("tokens", () => {
  test("count, split and cut agree and keep surrogate pairs", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(20), (text, limit) => {
        const pieces = [...splitTokens(text)];
        expect(pieces.join("")).toBe(text);
        expect(countTokens(text)).toBe(pieces.length);
        expect(takeTokens(text, limit)).toBe(pieces.slice(0, limit).join(""));
      }),
    );
  });
});
