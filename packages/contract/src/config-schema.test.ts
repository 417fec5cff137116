import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { configSchema } from "./config-schema.ts";
import { renderSchemaFile, schemaFile } from "./write-json-schema.ts";

test("fairlead.schema.json is up to date (run packages/contract/src/write-json-schema.ts)", () => {
  expect(readFileSync(schemaFile, "utf8")).toBe(renderSchemaFile());
});

test("an empty config is complete by its defaults", () => {
  const config = configSchema.parse({});
  expect(config.server.host).toBe("127.0.0.1");
  expect(config.server.port).toBe(8080);
  expect(config.routing.maxAttempts).toBe(4);
  expect(config.auth.anonymous).toBe(false);
});

test("every property of the schema has a description", () => {
  const silent: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== "object" || node === null) return;
    const properties = (node as { properties?: Record<string, { description?: string }> }).properties;
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (value.description === undefined) silent.push(`${path}.${key}`);
    }
    for (const [key, value] of Object.entries(node)) walk(value, `${path}.${key}`);
  };
  walk(JSON.parse(renderSchemaFile()), "");
  expect(silent).toEqual([]);
});
