import type { z } from "zod";
import { nearNames } from "../lib/near-names.ts";
import type { ConfigPath, Fault } from "./config-error.ts";
import { type ConfigSource, showValue } from "./config-source.ts";
import { expectationAt, knownKeys } from "./schema-at.ts";

type Issue = z.core.$ZodIssue;

/** An issue with its path from the root of the config. */
interface Placed {
  readonly issue: Issue;
  readonly at: ConfigPath;
}

function place(issue: Issue, base: ConfigPath): Placed {
  return {
    issue,
    at: [...base, ...issue.path.map((segment) => (typeof segment === "number" ? segment : String(segment)))],
  };
}

function wrongKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

/** Of a value that fits no alternative, the issues of the alternative it comes nearest to; none when it fits no kind. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const sameKind = branches.filter((issues) => !issues.some((i) => wrongKind(i)));
  return [...sameKind].sort((a, b) => a.length - b.length)[0] ?? [];
}

function unknownKeys(at: ConfigPath, keys: readonly string[]): Fault[] {
  const known = knownKeys(at);
  return keys.map((key) => ({
    at: [...at, key],
    what: "is not a known key",
    expected: known.length === 0 ? "nothing here" : `one of ${known.join(", ")}`,
    suggestion: nearNames(key, known)[0],
    aboutKey: true,
  }));
}

function expectationOf(issue: Issue, at: ConfigPath): string {
  if (issue.code === "invalid_value") return `one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "invalid_format" && issue.format === "starts_with") return "text that begins with /";
  if (issue.code === "invalid_format") return issue.message.replace(/^expected /, "");
  if (issue.code === "too_small" && issue.origin === "string") return "text that is not empty";
  if (issue.code === "too_small" && issue.origin === "array") return "at least one entry";
  return expectationAt(at);
}

function suggestionFor(issue: Issue, value: unknown): string | undefined {
  if (issue.code !== "invalid_value" || typeof value !== "string") return undefined;
  return nearNames(value, issue.values.map(String))[0];
}

function valueAt(root: unknown, path: ConfigPath): unknown {
  let here = root;
  for (const segment of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, segment)) return undefined;
    here = (here as Record<string | number, unknown>)[segment];
  }
  return here;
}

function explain({ issue, at }: Placed, root: unknown, source: ConfigSource): Fault[] {
  if (issue.code === "unrecognized_keys") return unknownKeys(at, issue.keys);
  if (issue.code === "invalid_key") {
    const expected = issue.issues[0]?.message ?? "another name";
    return [{ at, what: `${JSON.stringify(String(at.at(-1)))} is no usable name`, expected, aboutKey: true }];
  }
  const value = valueAt(root, at);
  if (issue.code === "invalid_union" && "discriminator" in issue) {
    const options = (issue as { options?: readonly unknown[] }).options?.map(String) ?? [];
    const expected = `one of ${options.join(", ")}`;
    if (value === undefined) return [{ at, what: "is missing", expected }];
    const suggestion = typeof value === "string" ? nearNames(value, options)[0] : undefined;
    return [{ at, ...invalid(showValue(source, at, value)), expected, suggestion }];
  }
  if (issue.code === "invalid_union") {
    const nearest = nearestBranch(issue.errors).map((inner) => place(inner, at));
    if (nearest.length > 0) return nearest.flatMap((inner) => explain(inner, root, source));
  }
  const expected = expectationOf(issue, at);
  if (value === undefined) return [{ at, what: "is missing", expected }];
  return [{ at, ...invalid(showValue(source, at, value)), expected, suggestion: suggestionFor(issue, value) }];
}

/** Words for a value that does not belong where it stands. */
export function invalid(shown: string): { readonly what: string; readonly value: string } {
  return { what: `${shown} is not valid`, value: shown };
}

/** Says for every validation issue where it is, what was found and what was expected, in plain words. */
export function explainIssues(issues: readonly Issue[], root: unknown, source: ConfigSource): readonly Fault[] {
  return issues.flatMap((issue) => explain(place(issue, []), root, source));
}
