import { writeFileSync } from "node:fs";
import { configJsonSchema } from "./config-schema.ts";

/** Where editors find the schema; `# yaml-language-server: $schema=` lines point here. */
export const schemaFile = new URL("../fairlead.schema.json", import.meta.url);

/** Renders the schema file's exact text, so that a test can compare it. */
export function renderSchemaFile(): string {
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
}

if (import.meta.main) writeFileSync(schemaFile, renderSchemaFile());
