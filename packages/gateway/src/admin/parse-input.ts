import type { ZodType, z } from "zod";
import { GatewayError } from "../core/errors.ts";

const secretField = /pass|token|secret|key|value|code|text/i;
const longestValue = 60;

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const segment of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[segment];
  }
  return value;
}

/** The part of a path that the client wrote: a text that was split, for example at commas, has nothing inside. */
function writtenPath(input: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] {
  const inText = path.findIndex((_, i) => typeof valueAt(input, path.slice(0, i)) === "string");
  return inText < 0 ? path : path.slice(0, inText);
}

function pathText(where: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, where);
}

function shownValue(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined) return "is missing";
  if (path.some((part) => secretField.test(String(part)))) return "does not fit";
  if (Array.isArray(value)) return "is a list";
  if (typeof value === "object" && value !== null) return "is an object";
  const text = JSON.stringify(value) ?? String(value);
  return `is ${text.length > longestValue ? `${text.slice(0, longestValue)}…` : text}`;
}

/** The issue that lies deepest, of the branch of a union that came closest. */
function nearest(issue: z.core.$ZodIssue): { readonly issue: z.core.$ZodIssue; readonly path: readonly PropertyKey[] } {
  if (issue.code !== "invalid_union") return { issue, path: issue.path };
  const depth = (branch: readonly z.core.$ZodIssue[]): number => branch[0]?.path.length ?? 0;
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const deepest = branches
    .toSorted((a, b) => a.length - b.length || depth(b) - depth(a))
    .find((one) => depth(one) > 0)?.[0];
  if (deepest === undefined || deepest.path.length === 0) return { issue, path: issue.path };
  const inner = nearest(deepest);
  return { issue: inner.issue, path: [...issue.path, ...inner.path] };
}

function explain(first: z.core.$ZodIssue, where: string, input: unknown): GatewayError {
  const { issue, path: found } = nearest(first);
  const path = writtenPath(input, found);
  if (issue.code === "unrecognized_keys") {
    const name = pathText(where, [...path, issue.keys[0] ?? ""]).slice(0, 120);
    return new GatewayError("invalid_request", `${name} is not a field of this request.`, { param: name });
  }
  const param = pathText(where, path) || "body";
  const expected = issue.message.replace(/^Invalid (input|option): /, "");
  const value = shownValue(valueAt(input, path), path);
  return new GatewayError("invalid_request", `${param} ${value}: ${expected}.`, { param });
}

/**
 * Returns what a schema makes of an input.
 * @throws GatewayError `invalid_request` that names path, value (unless it may be a secret) and what is expected
 */
export function parseInput<S extends ZodType>(schema: S, input: unknown, where: "" | "query" | "path"): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw new GatewayError("invalid_request", "The request does not fit.");
  throw explain(issue, where, input);
}
