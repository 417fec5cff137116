import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { routingReasons } from "@fairlead/contract/names";
import { type ErrorCode, errorTable } from "../src/core/errors.ts";

const docs = join(import.meta.dir, "../../../docs");
const read = (name: string): string => readFileSync(join(docs, name), "utf8");

test("docs/errors.md has a paragraph for every error code, and no other", () => {
  const sections = [...read("errors.md").matchAll(/^### (\S+)\n(\d{3})/gm)];
  expect(sections.map((match) => match[1] ?? "").sort()).toEqual(Object.keys(errorTable).sort());
});

test("docs/errors.md tells the status that the table has", () => {
  for (const [, code, status] of read("errors.md").matchAll(/^### (\S+)\n(\d{3})/gm)) {
    expect(`${code} ${status}`).toBe(`${code} ${errorTable[code as ErrorCode].status}`);
  }
});

test("docs/glossary.md explains every routing reason, and no other", () => {
  const rows = [...read("glossary.md").matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? "");
  expect(rows.sort()).toEqual([...routingReasons].sort());
});
