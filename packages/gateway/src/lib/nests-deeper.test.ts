import { expect, test } from "bun:test";
import { nestsDeeper } from "./nests-deeper.ts";

const nested = (depth: number): string => `${'{"a":['.repeat(depth / 2)}1${"]}".repeat(depth / 2)}`;

test("counts objects and lists alike", () => {
  expect(nestsDeeper(nested(100), 100)).toBe(false);
  expect(nestsDeeper(nested(102), 100)).toBe(true);
});

test("brackets in texts are text, also behind quotes that are escaped", () => {
  const brackets = "[{".repeat(500);
  expect(nestsDeeper(JSON.stringify({ text: brackets }), 10)).toBe(false);
  expect(nestsDeeper(JSON.stringify({ text: `\\"${brackets}\\` }), 10)).toBe(false);
  expect(nestsDeeper(JSON.stringify([`\\\\"${brackets}`, brackets]), 10)).toBe(false);
});

test("what closes makes room for what opens next", () => {
  expect(nestsDeeper(`[${"[[]],".repeat(400)}1]`, 3)).toBe(false);
  expect(nestsDeeper(`[${"[[]],".repeat(400)}1]`, 2)).toBe(true);
});

test("a text without an end is left for the parser to refuse", () => {
  expect(nestsDeeper(`{"a": "${"[".repeat(500)}`, 10)).toBe(false);
});
