import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject } from "../../lib/json.ts";
import { toSubsetSchema } from "./schema-subset.ts";

const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  ...more,
});

describe("toSubsetSchema", () => {
  test("closes objects and turns constraints into words", () => {
    const schema = object({
      list: {
        type: "array",
        items: object({ n: { type: "number", maximum: 3 } }),
        maxItems: 2,
        description: "A list.",
      },
      when: { type: "string", format: "date" },
      zip: { type: "string", format: "zip" },
    });
    expect(toSubsetSchema(schema)).toEqual({
      isLoosened: true,
      schema: object(
        {
          list: {
            type: "array",
            description: "A list. Constraints: maxItems 2.",
            items: object(
              { n: { type: "number", description: "Constraints: maximum 3." } },
              { additionalProperties: false },
            ),
          },
          when: { type: "string", format: "date" },
          zip: { type: "string", description: 'Constraints: format "zip".' },
        },
        { additionalProperties: false },
      ),
    });
  });

  test("keeps references to definitions, but no recursion", () => {
    const shared = { a: { $ref: "#/$defs/a" }, b: { $ref: "#/$defs/a" } };
    const leaf = object({ x: { type: "string" } });
    expect(toSubsetSchema(object(shared, { $defs: { a: leaf } }))?.isLoosened).toBe(false);
    const loop = { a: object({ b: { $ref: "#/$defs/b" } }), b: object({ a: { $ref: "#/$defs/a" } }) };
    expect(toSubsetSchema(object(shared, { $defs: loop }))).toBeUndefined();
  });

  test("gives up on what has no place there", () => {
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`p${i}`, { type: "string" }]));
    const unfit: readonly JsonObject[] = [
      { type: "array", items: { type: "string" } },
      object({ a: { type: "string" } }, { additionalProperties: true }),
      object({ a: { type: "object" } }),
      object({ a: { $ref: "#" } }),
      object({ a: { $ref: "https://e.test/schema" } }),
      object({ a: { enum: [{}] } }),
      object(many, { required: [] }),
      object({ a: true }),
    ];
    for (const schema of unfit) expect([schema, toSubsetSchema(schema)]).toEqual([schema, undefined]);
  });

  test("takes time linear in a schema full of references", () => {
    const names = Array.from({ length: 3000 }, (_, i) => `d${i}`);
    const $defs = Object.fromEntries(
      names.map((name, i) => [name, i === 0 ? { type: "string" } : { $ref: `#/$defs/${names[i - 1]}` }]),
    );
    const properties = Object.fromEntries(names.map((name) => [name, { $ref: `#/$defs/${name}` }]));
    const start = performance.now();
    expect(toSubsetSchema(object(properties, { $defs }))).toBeDefined();
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("never throws on arbitrary members", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("properties", "$ref", "$defs", "anyOf", "items", "enum", "x"), fc.jsonValue()),
        (value) => {
          toSubsetSchema({ ...value, type: "object" });
        },
      ),
    );
  });
});
