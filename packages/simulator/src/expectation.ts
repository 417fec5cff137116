import { isObject, type Json, type JsonObject } from "./json.ts";

/** What a request must look like; a request that differs is answered 400 with the differences. */
export interface Expectation {
  readonly path?: string;
  readonly model?: string;
  /** Exact values by lower-case name, or the same tokens as in `body`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects match as subsets, arrays whole; `$any`, `$absent`, `$int` and `$re:…` match by rule. */
  readonly body?: JsonObject;
}

/** One place where a request differs. */
export interface Difference {
  readonly at: string;
  readonly expected: Json;
  readonly actual: Json;
}

/** Lists every difference between a request and what was expected of it. */
export function differences(
  expected: Expectation,
  headers: Readonly<Record<string, string>>,
  body: Json | undefined,
): readonly Difference[] {
  const found: Difference[] = [];
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    compare(`headers.${name}`, value, headers[name.toLowerCase()], found);
  }
  if (expected.body !== undefined) compare("body", expected.body, body, found);
  return found;
}

function compare(at: string, expected: Json, actual: Json | undefined, found: Difference[]): void {
  const differs = () => found.push({ at, expected, actual: actual === undefined ? "$absent" : actual });
  if (typeof expected === "string" && expected.startsWith("$")) {
    if (!matchesToken(expected, actual)) differs();
  } else if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) differs();
    else for (const [index, item] of expected.entries()) compare(`${at}[${index}]`, item, actual[index], found);
  } else if (isObject(expected)) {
    if (!isObject(actual)) differs();
    else for (const [key, item] of Object.entries(expected)) compare(`${at}.${key}`, item ?? null, actual[key], found);
  } else if (expected !== actual) differs();
}

function matchesToken(token: string, actual: Json | undefined): boolean {
  if (token === "$any") return actual !== undefined;
  if (token === "$absent") return actual === undefined;
  if (token === "$int") return typeof actual === "number" && Number.isInteger(actual);
  if (token.startsWith("$re:")) return typeof actual === "string" && new RegExp(token.slice(4)).test(actual);
  return token === actual;
}
