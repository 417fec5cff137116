import { expect } from "bun:test";
import { isObject } from "../src/lib/json.ts";

/** One case of a file in `vectors/`; `given` and `expect` differ from file to file. */
export interface Vector<Given, Expect> {
  readonly id: string;
  readonly title: string;
  readonly given: Given;
  readonly expect: Expect;
}

/** Reads the cases of a vector file. */
export async function readVectors<Given, Expect>(name: string): Promise<readonly Vector<Given, Expect>[]> {
  const file = await Bun.file(`${import.meta.dir}/vectors/${name}.json`).json();
  return file.vectors;
}

/**
 * Asserts the mode `subset`: every member of `wanted` is there and equal, arrays element by element and by length, with
 * the tokens `$absent`, `$any`, `$int` and `$re:`.
 */
export function expectSubset(actual: unknown, wanted: unknown, path = "$"): void {
  const problem = difference(actual, wanted, path);
  expect(problem, problem).toBeUndefined();
}

function difference(actual: unknown, wanted: unknown, path: string): string | undefined {
  if (wanted === "$absent") return actual === undefined ? undefined : `${path}: present`;
  if (wanted === "$any") return actual ? undefined : `${path}: empty`;
  if (wanted === "$int") return Number.isInteger(actual) ? undefined : `${path}: no integer`;
  if (typeof wanted === "string" && wanted.startsWith("$re:")) {
    return new RegExp(wanted.slice(4)).test(String(actual)) ? undefined : `${path}: ${String(actual)}`;
  }
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) {
      return `${path}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`;
    }
    return first(wanted.map((item, i) => difference(actual[i], item, `${path}[${i}]`)));
  }
  if (isObject(wanted)) {
    if (!isObject(actual)) return `${path}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`;
    return first(Object.entries(wanted).map(([key, value]) => difference(actual[key], value, `${path}.${key}`)));
  }
  return Object.is(actual, wanted)
    ? undefined
    : `${path}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`;
}

function first(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}
